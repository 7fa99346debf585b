#ifndef BERTH_TESTS_AGENT_SHIM_SHIM_HARNESS_H_
#define BERTH_TESTS_AGENT_SHIM_SHIM_HARNESS_H_

// A real berth-shim in a folder of its own, with the test in the agent's place.

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "agent/executor/shim_starter.h"
#include "agent/shim/shim_protocol.h"
#include "tests/testing/temp_dir.h"
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

namespace berth {

inline constexpr int64_t kNsPerMs = 1000000;
// Far above what anything here takes on a busy machine: reaching it is a failure.
inline constexpr int kPatienceMs = 20000;

// The tests and the shim lie in one folder.
inline std::string ShimProgram() {
  char path[4096] = {};
  const ssize_t size = readlink("/proc/self/exe", path, sizeof(path) - 1);
  const std::string self(path, size > 0 ? static_cast<size_t>(size) : 0);
  return self.substr(0, self.rfind('/')) + "/berth-shim";
}

inline std::string ReadText(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

// Whether a process of the machine carries `marker` in its command line; a zombie carries nothing.
inline bool IsMarkerAlive(const std::string& marker) {
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    const std::string name = entry.path().filename();
    if (name[0] >= '1' && name[0] <= '9' &&
        ReadText("/proc/" + name + "/cmdline").find(marker) != std::string::npos) {
      return true;
    }
  }
  return false;
}

class ShimTest : public testing::Test {
 protected:
  ShimTest() {
    task.working_directory = dir.path();
    task.lock_paths = {dir.File("device-SIM-0.lock")};
    task.start_at_once = 1;
    AddRank();
  }
  // Asks the shim to end its task first: where there is no pid namespace, its own death might not.
  ~ShimTest() override {
    if (pid > 0) {
      if (agent >= 0) {
        const AgentCommand stop{.kind = AgentCommand::Kind::kStop, .reason = 1};
        static_cast<void>(send(agent, &stop, sizeof(stop), MSG_NOSIGNAL));
        AwaitShim();
      }
      kill(pid, SIGKILL);
      waitpid(pid, nullptr, 0);
    }
    CloseAgent();
  }

  void AddRank() {
    const auto rank = std::to_string(task.ranks.size());
    task.ranks.push_back({
        .log_path = LogPath(task.ranks.size()),
        .environment = {"PATH=/usr/bin:/bin", "LOCAL_RANK=" + rank}
    });
  }
  std::string LogPath(size_t rank) const { return dir.File("rank-" + std::to_string(rank)); }
  std::string Log(size_t rank = 0) const { return ReadText(LogPath(rank)); }
  // In the command lines of this test's processes only.
  std::string Marker() const { return "marker-" + dir.path().substr(dir.path().size() - 6); }

  void RunShell(const std::string& script) { task.argv = {"/bin/sh", "-c", script}; }

  void StartShim() {
    ASSERT_EQ(access(ShimProgram().c_str(), X_OK), 0)
        << "build berth-shim first: " << ShimProgram();
    std::ofstream(dir.File(kTaskFileName), std::ios::binary) << EncodeTaskFile(task);
    SpawnShim();
  }
  void SpawnShim() {
    const auto shim = shims.Start(dir.path());
    ASSERT_TRUE(shim.ok()) << shim.status();
    pid = shim->pid();
    agent = fcntl(shim->socket(), F_DUPFD_CLOEXEC, 0);
  }

  // As an agent that ends.
  void CloseAgent() {
    if (agent >= 0) {
      close(agent);
      agent = -1;
    }
  }
  // As the agent's next life.
  void FindShim() {
    const int folder = open(dir.path().c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/%s", folder,
                  kSocketFileName);
    agent = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    ASSERT_EQ(connect(agent, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    close(folder);
  }

  void Send(const AgentCommand& command) {
    ASSERT_EQ(send(agent, &command, sizeof(command), MSG_NOSIGNAL),
              static_cast<ssize_t>(sizeof(command)));
  }
  void SendStop(int32_t reason, int64_t grace_ms) {
    Send({.kind = AgentCommand::Kind::kStop, .reason = reason, .value = grace_ms});
  }
  void SendLease(int64_t deadline_ns) {
    Send({.kind = AgentCommand::Kind::kSetLease, .value = deadline_ns});
  }

  // The next event or, of a notice, its beginning; nothing when the shim closes the conversation.
  std::optional<ShimEvent> Receive() const {
    pollfd readable{agent, POLLIN, 0};
    ShimEvent event;
    if (poll(&readable, 1, kPatienceMs) != 1 ||
        recv(agent, &event, sizeof(event), 0) != static_cast<ssize_t>(sizeof(event))) {
      return std::nullopt;
    }
    return event;
  }
  void Expect(ShimEvent::Kind kind) const {
    const auto event = Receive();
    ASSERT_TRUE(event.has_value());
    ASSERT_EQ(static_cast<int>(event->kind), static_cast<int>(kind)) << event->message;
  }
  void ExpectStarted() const {
    Expect(ShimEvent::Kind::kPrepared);
    Expect(ShimEvent::Kind::kStarted);
  }
  // The shim's answer to a status command, other events left out.
  int AskStatus() {
    Send({});
    for (auto event = Receive(); event.has_value(); event = Receive()) {
      if (event->kind == ShimEvent::Kind::kStatus) {
        return event->value;
      }
    }
    return -1;
  }

  // The next notice, other events left out.
  std::optional<ShimNotice> ReceiveNotice() const {
    pollfd readable{agent, POLLIN, 0};
    ShimNotice notice;
    while (poll(&readable, 1, kPatienceMs) == 1) {
      const ssize_t size = recv(agent, &notice, sizeof(notice), 0);
      if (size <= 0 || size == static_cast<ssize_t>(sizeof(notice))) {
        return size <= 0 ? std::nullopt : std::optional<ShimNotice>(notice);
      }
    }
    return std::nullopt;
  }

  // Waits until the log has this line: the ranks say when they are ready.
  void AwaitLine(const std::string& line, size_t rank = 0) const {
    const int64_t give_up = BootTimeNs() + kPatienceMs * kNsPerMs;
    while (("\n" + Log(rank)).find("\n" + line + "\n") == std::string::npos) {
      ASSERT_LT(BootTimeNs(), give_up) << "no line " << line << " in: " << Log(rank);
      usleep(2000);
    }
  }

  // Whether the shim ended in time; it is still to be waited for.
  bool AwaitShim() const {
    const int pidfd = static_cast<int>(syscall(SYS_pidfd_open, pid, 0));
    pollfd ended{pidfd, POLLIN, 0};
    const bool in_time = poll(&ended, 1, kPatienceMs) == 1;
    close(pidfd);
    return in_time;
  }
  // Waits for the shim's end and reads what it wrote.
  std::optional<ExitRecord> AwaitEnd() {
    if (!AwaitShim()) {
      return std::nullopt;
    }
    waitpid(pid, &shim_status, 0);
    pid = -1;
    return ReadRecord();
  }
  std::optional<ExitRecord> ReadRecord() const {
    const std::string path = dir.File(kExitFileName);
    return access(path.c_str(), F_OK) == 0 ? DecodeExitRecord(ReadText(path)) : std::nullopt;
  }

  TempDir dir;
  ShimStarter shims{ShimProgram(), false};
  TaskFile task;
  pid_t pid = -1;
  int agent = -1;
  int shim_status = -1;
};

}  // namespace berth

#endif  // BERTH_TESTS_AGENT_SHIM_SHIM_HARNESS_H_
