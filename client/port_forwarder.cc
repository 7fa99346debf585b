#include "client/port_forwarder.h"

#include <cerrno>
#include <string>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"

#include "client/text.h"
#include "common/error_detail.h"
#include "common/status_macros.h"
#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

namespace berth {
namespace {

constexpr int kBacklog = 64;
constexpr size_t kConnectionsMax = 64;

bool SendAll(int socket, const std::string& data) {
  size_t sent = 0;
  while (sent < data.size()) {
    const ssize_t size = send(socket, data.data() + sent, data.size() - sent, MSG_NOSIGNAL);
    if (size < 0 && errno == EINTR) {
      continue;
    }
    if (size <= 0) {
      return false;
    }
    sent += static_cast<size_t>(size);
  }
  return true;
}

// What the caller's program says, until it says no more.
void PassToJob(int socket, JobChannel& channel) {
  std::string bytes(JobChannel::kPieceBytes, '\0');
  v1::ChannelInput frame;
  while (true) {
    const ssize_t size = recv(socket, bytes.data(), bytes.size(), 0);
    if (size < 0 && errno == EINTR) {
      continue;
    }
    if (size <= 0) {
      frame.set_end_of_data(true);
      channel.Write(frame);
      return;
    }
    frame.set_data(bytes.data(), static_cast<size_t>(size));
    if (!channel.Write(frame)) {
      return;
    }
  }
}

absl::Status CannotListen(int port) {
  return MakeError(absl::StatusCode::kFailedPrecondition,
                   {.code = "B1306",
                    .message = absl::StrCat("cannot listen on 127.0.0.1:", port),
                    .why = std::generic_category().message(errno),
                    .fix = "name another local port: berth forward JOB LOCAL:PORT"});
}

}  // namespace

absl::StatusOr<std::unique_ptr<PortForwarder>> PortForwarder::Listen(ApiClient& api, int local_port,
                                                                     v1::EnterJobRequest request,
                                                                     Complain complain) {
  std::unique_ptr<PortForwarder> forwarder(
      new PortForwarder(api, std::move(request), std::move(complain)));
  forwarder->stop_ = eventfd(0, EFD_CLOEXEC);
  forwarder->listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int one = 1;
  setsockopt(forwarder->listener_, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
  sockaddr_in address{};
  socklen_t size = sizeof(address);
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(local_port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  auto* const generic = reinterpret_cast<sockaddr*>(&address);
  if (bind(forwarder->listener_, generic, size) != 0 ||
      listen(forwarder->listener_, kBacklog) != 0 ||
      getsockname(forwarder->listener_, generic, &size) != 0) {
    return CannotListen(local_port);
  }
  forwarder->local_port_ = ntohs(address.sin_port);
  return forwarder;
}

PortForwarder::~PortForwarder() {
  for (Connection& connection : connections_) {
    connection.channel->Cancel();
    shutdown(connection.socket, SHUT_RDWR);
  }
  for (Connection& connection : connections_) {
    connection.thread.join();
    close(connection.socket);
  }
  close(listener_);
  close(stop_);
}

void PortForwarder::Stop() {
  const uint64_t one = 1;
  const ssize_t written = write(stop_, &one, sizeof(one));
  static_cast<void>(written);
}

void PortForwarder::Run() {
  while (true) {
    pollfd fds[2] = {
        {stop_,     POLLIN, 0},
        {listener_, POLLIN, 0}
    };
    if (poll(fds, 2, -1) < 0) {
      continue;
    }
    if (fds[0].revents != 0) {
      return;
    }
    DropEnded();
    Accept();
  }
}

void PortForwarder::Accept() {
  const int socket = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
  if (socket < 0) {
    return;
  }
  if (connections_.size() >= kConnectionsMax) {
    complain_(absl::ResourceExhaustedError(
        absl::StrCat("there are ", kConnectionsMax, " connections already")));
    close(socket);
    return;
  }
  Connection& connection = connections_.emplace_back();
  connection.socket = socket;
  connection.channel = api_.EnterJob(request_);
  connection.thread = std::thread([this, &connection] { Carry(connection); });
}

void PortForwarder::Carry(Connection& connection) {
  std::thread to_job([&] { PassToJob(connection.socket, *connection.channel); });
  v1::ChannelOutput output;
  std::string error;
  bool ended = false;
  while (!ended && connection.channel->Read(output)) {
    if (output.has_end()) {
      error = output.end().error();
      ended = true;
    } else if (output.has_data() && !SendAll(connection.socket, output.data())) {
      break;
    }
  }
  connection.channel->Cancel();
  const absl::Status status = connection.channel->Finish();
  shutdown(connection.socket, SHUT_RDWR);
  to_job.join();
  if (!error.empty()) {
    complain_(absl::UnavailableError(error));
  } else if (!ended && !absl::IsCancelled(status)) {
    complain_(status);
  }
  connection.done = true;
}

void PortForwarder::DropEnded() {
  for (auto connection = connections_.begin(); connection != connections_.end();) {
    if (!connection->done) {
      ++connection;
      continue;
    }
    connection->thread.join();
    close(connection->socket);
    connection = connections_.erase(connection);
  }
}

}  // namespace berth
