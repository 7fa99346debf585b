#include "agent/executor/shim_starter.h"

#include <cerrno>
#include <vector>

#include "absl/strings/str_cat.h"

#include "agent/shim/local_socket.h"
#include "agent/shim/process_tree.h"
#include "agent/shim/shim_template.h"
#include "common/status_macros.h"
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

namespace berth {
namespace {

// A fork takes far less; the agent's thread waits for it.
constexpr timeval kReplyTimeout = {.tv_sec = 5, .tv_usec = 0};
// For the path of a task's folder in the command line of its shim.
constexpr size_t kShownBytes = 512;

absl::StatusOr<pid_t> Spawn(const std::string& path, bool drop_capabilities, int conversation) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    posix_spawn_file_actions_addopen(&actions, stream, "/dev/null", O_RDWR, 0);
  }
  // adddup2 onto itself clears close-on-exec, so it is right even if the number is the same.
  posix_spawn_file_actions_adddup2(&actions, conversation, kTemplateDescriptor);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none;
  sigemptyset(&none);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK);
  const std::string room(kShownBytes, ' ');
  const std::vector<std::string> words = {path, kTemplateWord,
                                          drop_capabilities ? kDropRights : kKeepRights, room};
  char* const environment[] = {nullptr};
  pid_t pid = -1;
  const int error =
      posix_spawn(&pid, path.c_str(), &actions, &attributes, Pointers(words).data(), environment);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  return error == 0 ? absl::StatusOr<pid_t>(pid)
                    : absl::ErrnoToStatus(error, absl::StrCat("cannot start ", path));
}

}  // namespace

ShimStarter::~ShimStarter() {
  EndTemplate();
}

absl::Status ShimStarter::StartTemplate() {
  if (template_ > 0) {
    return absl::OkStatus();
  }
  int sockets[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) != 0) {
    return absl::ErrnoToStatus(errno, "cannot make a socket for the shims' template");
  }
  const absl::StatusOr<pid_t> pid = Spawn(shim_path_, drop_capabilities_, sockets[1]);
  close(sockets[1]);
  socket_ = sockets[0];
  if (!pid.ok()) {
    EndTemplate();
    return pid.status();
  }
  template_ = *pid;
  std::erase(orphaned_, template_);  // that group was empty: its number has been given out again
  setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &kReplyTimeout, sizeof(kReplyTimeout));
  return absl::OkStatus();
}

void ShimStarter::EndTemplate() {
  if (socket_ >= 0) {
    close(std::exchange(socket_, -1));
  }
  if (template_ > 0) {
    // It would end by itself, unless it hangs.
    kill(template_, SIGKILL);
    waitpid(std::exchange(template_, -1), nullptr, 0);
  }
}

void ShimStarter::ReapOrphans() {
  std::erase_if(orphaned_, [](pid_t group) {
    pid_t dead = 0;
    while ((dead = waitpid(-group, nullptr, WNOHANG)) > 0) {
    }
    return dead < 0;  // it has no children any more
  });
}

absl::Status ShimStarter::SendOrder(const std::string& folder, int conversation) {
  RETURN_IF_ERROR(StartTemplate());
  const auto send = [&] {
    return SendDescriptor(socket_, folder.data(), folder.size(), conversation, 0);
  };
  if (send()) {
    return absl::OkStatus();
  }
  // It has died since the last order, and has not seen this one.
  EndTemplate();
  RETURN_IF_ERROR(StartTemplate());
  return send() ? absl::OkStatus() : absl::ErrnoToStatus(errno, "cannot reach the shims' template");
}

absl::StatusOr<ShimProcess> ShimStarter::Start(const std::string& folder) {
  ReapOrphans();
  int sockets[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) != 0) {
    return absl::ErrnoToStatus(errno, "cannot make a socket for the shim");
  }
  ShimProcess shim(sockets[0]);
  const absl::Status sent = SendOrder(folder, sockets[1]);
  close(sockets[1]);
  RETURN_IF_ERROR(sent);
  TemplateReply reply;
  if (recv(socket_, &reply, sizeof(reply), 0) != static_cast<ssize_t>(sizeof(reply))) {
    orphaned_.push_back(template_);
    EndTemplate();
    return shim;
  }
  if (reply.pid < 0) {
    return absl::ErrnoToStatus(reply.error, "cannot fork a shim");
  }
  shim.SetChild(reply.pid);
  return shim;
}

}  // namespace berth
