#include "agent/executor/shim_process.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

namespace berth {
namespace {

constexpr int kStatusTimeoutMs = 1000;

}  // namespace

absl::StatusOr<ShimProcess> ShimProcess::Start(const std::string& shim_path,
                                               const std::string& folder) {
  int sockets[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) != 0) {
    return absl::ErrnoToStatus(errno, "cannot make a socket for the shim");
  }
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    posix_spawn_file_actions_addopen(&actions, stream, "/dev/null", O_RDWR, 0);
  }
  // adddup2 onto itself clears close-on-exec, so it is right even if the number is the same.
  posix_spawn_file_actions_adddup2(&actions, sockets[1], kAgentDescriptor);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none;
  sigemptyset(&none);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK);
  char* const argv[] = {const_cast<char*>(shim_path.c_str()), const_cast<char*>(folder.c_str()),
                        nullptr};
  char* const environment[] = {nullptr};
  pid_t pid = -1;
  const int error = posix_spawn(&pid, shim_path.c_str(), &actions, &attributes, argv, environment);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  close(sockets[1]);
  if (error != 0) {
    close(sockets[0]);
    return absl::ErrnoToStatus(error, absl::StrCat("cannot start ", shim_path));
  }
  return ShimProcess(sockets[0], pid);
}

absl::StatusOr<ShimProcess> ShimProcess::Find(int folder_descriptor) {
  const int connection = ::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
  if (connection < 0) {
    return absl::ErrnoToStatus(errno, "cannot make a socket for the shim");
  }
  // By way of /proc the path is short, however deep the folder lies.
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/%s",
                folder_descriptor, kSocketFileName);
  if (connect(connection, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) {
    close(connection);
    return absl::NotFoundError("no shim listens");
  }
  return ShimProcess(connection, -1);
}

ShimProcess::ShimProcess(ShimProcess&& other) noexcept
    : socket_(std::exchange(other.socket_, -1)), pid_(std::exchange(other.pid_, -1)) {}

ShimProcess& ShimProcess::operator=(ShimProcess&& other) noexcept {
  std::swap(socket_, other.socket_);
  std::swap(pid_, other.pid_);
  return *this;
}

ShimProcess::~ShimProcess() {
  if (socket_ >= 0) {
    close(socket_);
  }
}

void ShimProcess::Send(const AgentCommand& command) const {
  // A shim that has ended is noticed by its closed socket.
  const ssize_t sent = send(socket_, &command, sizeof(command), MSG_NOSIGNAL);
  static_cast<void>(sent);
}

std::optional<ShimProcess::Message> ShimProcess::Receive(bool& ended) const {
  char packet[sizeof(ShimNotice)];
  const ssize_t size = recv(socket_, packet, sizeof(packet), MSG_DONTWAIT);
  // ECONNRESET: it ended before it had read all; what it said before is still there to be read.
  ended = size == 0 || (size < 0 && errno != EAGAIN && errno != EINTR && errno != ECONNRESET);
  if (size == static_cast<ssize_t>(sizeof(ShimNotice))) {
    ShimNotice notice;
    std::memcpy(static_cast<void*>(&notice), packet, sizeof(notice));
    notice.checkpoint[kCheckpointBytesMax] = 0;
    notice.text[kNoticeTextBytesMax] = 0;
    return notice;
  }
  if (size != static_cast<ssize_t>(sizeof(ShimEvent))) {
    return std::nullopt;
  }
  ShimEvent event;
  std::memcpy(static_cast<void*>(&event), packet, sizeof(event));
  event.message[sizeof(event.message) - 1] = 0;
  return event;
}

std::optional<ShimEvent> ShimProcess::AskStatus() const {
  Send({});
  pollfd readable{socket_, POLLIN, 0};
  while (poll(&readable, 1, kStatusTimeoutMs) > 0) {
    bool ended = false;
    const auto message = Receive(ended);
    if (ended) {
      return std::nullopt;
    }
    const auto* event = message.has_value() ? std::get_if<ShimEvent>(&*message) : nullptr;
    if (event != nullptr && event->kind == ShimEvent::Kind::kStatus) {
      return *event;
    }
  }
  return std::nullopt;
}

pid_t ShimProcess::pid() const {
  ucred peer{};
  socklen_t size = sizeof(peer);
  // Of a socketpair the kernel names who made it.
  if (pid_ > 0 || getsockopt(socket_, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) {
    return pid_;
  }
  return peer.pid;
}

void ShimProcess::Reap() {
  if (pid_ > 0) {
    waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }
}

}  // namespace berth
