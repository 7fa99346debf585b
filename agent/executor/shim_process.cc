#include "agent/executor/shim_process.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

#include "common/status_macros.h"
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

namespace berth {
namespace {

constexpr int kStatusTimeoutMs = 1000;
// A shim takes whoever connects at once; one that is stopped, or waits for a disk, takes nobody.
constexpr timeval kConnectTimeout = {.tv_sec = 5, .tv_usec = 0};

}  // namespace

absl::StatusOr<Descriptor> ConnectToShim(int folder_descriptor, const char* name) {
  Descriptor connection(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  if (!connection.is_open()) {
    return absl::ErrnoToStatus(errno, "cannot make a socket for the shim");
  }
  setsockopt(connection.get(), SOL_SOCKET, SO_SNDTIMEO, &kConnectTimeout, sizeof(kConnectTimeout));
  // By way of /proc the path is short, however deep the folder lies.
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/%s",
                folder_descriptor, name);
  if (connect(connection.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) {
    return errno == EAGAIN ? absl::UnavailableError("the task's shim takes nobody")
                           : absl::NotFoundError("no shim listens");
  }
  return connection;
}

absl::StatusOr<ShimProcess> ShimProcess::Find(int folder_descriptor) {
  ASSIGN_OR_RETURN(const Descriptor connection, ConnectToShim(folder_descriptor, kSocketFileName));
  return ShimProcess(fcntl(connection.get(), F_DUPFD_CLOEXEC, 0));
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
