// Real shims of a real template.

#include "agent/shim/shim_template.h"

#include <atomic>
#include <cerrno>
#include <fstream>
#include <optional>
#include <string>
#include <thread>

#include <gtest/gtest.h>

#include "tests/agent/shim/shim_harness.h"
#include <sched.h>
#include <sys/stat.h>

namespace berth {
namespace {

class ShimTemplateTest : public ShimTest {
 protected:
  static void AwaitEndOf(pid_t process) {
    const int pidfd = static_cast<int>(syscall(SYS_pidfd_open, process, 0));
    pollfd ended{pidfd, POLLIN, 0};
    EXPECT_TRUE(pidfd < 0 || poll(&ended, 1, kPatienceMs) == 1);
    close(pidfd);
  }
};

TEST_F(ShimTemplateTest, AShimIsItsAgentsChildAndShowsItsFolder) {
  RunShell("sleep 100");
  StartShim();
  ExpectStarted();
  const std::string shown = ReadText("/proc/" + std::to_string(pid) + "/cmdline");
  EXPECT_EQ(shown.substr(0, shown.find('\0', ShimProgram().size() + 1)),
            ShimProgram() + '\0' + dir.path());
  EXPECT_EQ(shown.find(kTemplateWord), std::string::npos);
  SendStop(1, 0);
  ASSERT_TRUE(AwaitEnd().has_value());
  EXPECT_EQ(shim_status, 0);
}

TEST_F(ShimTemplateTest, AShimOutlivesItsTemplate) {
  RunShell("echo ready; read -r line < go; exit 7");
  ASSERT_EQ(mkfifo(dir.File("go").c_str(), 0600), 0);
  StartShim();
  ExpectStarted();
  kill(shims.template_pid(), SIGKILL);
  AwaitEndOf(shims.template_pid());
  AwaitLine("ready");
  std::ofstream(dir.File("go")) << "now\n";
  const auto record = AwaitEnd();
  ASSERT_TRUE(record.has_value());
  EXPECT_EQ(record->exit_code, 7);
}

TEST_F(ShimTemplateTest, ATemplateThatDiedIsReplaced) {
  ASSERT_TRUE(shims.StartTemplate().ok());
  const pid_t first = shims.template_pid();
  kill(first, SIGKILL);
  AwaitEndOf(first);
  RunShell("true");
  StartShim();
  ExpectStarted();
  EXPECT_NE(shims.template_pid(), first);
  ASSERT_TRUE(AwaitEnd().has_value());
}

// The agent cannot know whether there is a shim; the conversation tells.
TEST_F(ShimTemplateTest, AnOrderThatATemplateTakesToItsGraveEndsItsConversation) {
  ASSERT_TRUE(shims.StartTemplate().ok());
  const pid_t first = shims.template_pid();
  kill(first, SIGSTOP);
  std::optional<absl::StatusOr<ShimProcess>> shim;
  pid_t thread = 0;
  std::atomic<pid_t> caller = 0;
  std::thread agent_thread([&] {
    caller = static_cast<pid_t>(syscall(SYS_gettid));
    shim = shims.Start(dir.path());
  });
  while ((thread = caller) == 0) {
    std::this_thread::yield();
  }
  // Until it waits for the answer: the first word is the number of the system call.
  const std::string waits = std::to_string(SYS_recvfrom) + " ";
  while (
      ReadText("/proc/self/task/" + std::to_string(thread) + "/syscall").substr(0, waits.size()) !=
      waits) {
    std::this_thread::yield();
  }
  kill(first, SIGKILL);
  agent_thread.join();
  ASSERT_TRUE(shim->ok()) << shim->status();
  pollfd readable{(*shim)->socket(), POLLIN, 0};
  ASSERT_EQ(poll(&readable, 1, kPatienceMs), 1);
  bool ended = false;
  EXPECT_FALSE((*shim)->Receive(ended).has_value());
  EXPECT_TRUE(ended);
  RunShell("true");
  StartShim();
  ExpectStarted();
  ASSERT_TRUE(AwaitEnd().has_value());
}

TEST_F(ShimTemplateTest, AChildThatADeadTemplateDidNotTellOfIsTakenAway) {
  const std::string program = dir.File("template");
  std::ofstream(program) << "#!/usr/bin/perl\n"
                         << "open(my $socket, '<&=', 3); sysread($socket, my $order, 4096);\n"
                         << "exit 0 if syscall(" << SYS_clone << ", " << (CLONE_PARENT | SIGCHLD)
                         << ", 0, 0, 0, 0) == 0;\n"
                         << "kill 'KILL', $$;\n";
  ASSERT_EQ(chmod(program.c_str(), 0700), 0);
  ShimStarter starter(program, false);
  ASSERT_TRUE(starter.Start(dir.path()).ok());
  siginfo_t orphan{};
  ASSERT_EQ(waitid(P_ALL, 0, &orphan, WEXITED | WNOWAIT), 0);
  ASSERT_TRUE(starter.Start(dir.path()).ok());
  EXPECT_EQ(kill(orphan.si_pid, 0), -1);
  EXPECT_EQ(errno, ESRCH);
  // The second one's.
  while (waitpid(-1, nullptr, 0) > 0) {
  }
}

TEST_F(ShimTemplateTest, ATemplateEndsWithItsAgent) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  const pid_t killed_agent = fork();
  if (killed_agent == 0) {
    ShimStarter own(ShimProgram(), false);
    const bool started = own.StartTemplate().ok();
    const pid_t told = started ? own.template_pid() : -1;
    _exit(write(ends[1], &told, sizeof(told)) == sizeof(told) ? 0 : 1);
  }
  pid_t orphan = -1;
  ASSERT_EQ(read(ends[0], &orphan, sizeof(orphan)), static_cast<ssize_t>(sizeof(orphan)));
  waitpid(killed_agent, nullptr, 0);
  ASSERT_GT(orphan, 0);
  AwaitEndOf(orphan);
  close(ends[0]);
  close(ends[1]);
}

TEST_F(ShimTemplateTest, NothingExecutedBelowCanGetCapabilities) {
  if (geteuid() != 0) {
    GTEST_SKIP() << "only root has capabilities to lose";
  }
  ShimStarter without(ShimProgram(), true);
  RunShell("grep CapBnd /proc/self/status");
  std::ofstream(dir.File(kTaskFileName), std::ios::binary) << EncodeTaskFile(task);
  const auto shim = without.Start(dir.path());
  ASSERT_TRUE(shim.ok()) << shim.status();
  pid = shim->pid();
  agent = fcntl(shim->socket(), F_DUPFD_CLOEXEC, 0);
  ASSERT_TRUE(AwaitEnd().has_value());
  EXPECT_EQ(Log(), "CapBnd:\t0000000000000000\n");
}

}  // namespace
}  // namespace berth
