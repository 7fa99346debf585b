#include "agent/shim/agent_link.h"

#include <cerrno>

#include "agent/shim/local_socket.h"
#include <sys/socket.h>
#include <unistd.h>

namespace berth {

bool AgentLink::Listen() {
  constexpr int kBacklog = 4;
  listener_ = ListenHere(kSocketFileName, SOCK_SEQPACKET, kBacklog);
  return listener_ >= 0;
}

void AgentLink::Accept() {
  const int agent = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
  if (agent < 0) {
    return;
  }
  if (agent_ >= 0) {
    close(agent_);
  }
  agent_ = agent;
}

std::optional<AgentCommand> AgentLink::Receive() {
  AgentCommand command;
  const ssize_t size = recv(agent_, &command, sizeof(command), MSG_DONTWAIT);
  if (size == static_cast<ssize_t>(sizeof(command))) {
    command.message[sizeof(command.message) - 1] = 0;
    return command;
  }
  if (size == 0 || (size < 0 && errno != EAGAIN && errno != EINTR && errno != ECONNRESET)) {
    // After ECONNRESET what an agent said before it died is still there.
    close(agent_);
    agent_ = -1;
  }
  return std::nullopt;
}

void AgentLink::Send(const void* packet, size_t size) const {
  if (agent_ >= 0) {
    send(agent_, packet, size, MSG_NOSIGNAL | MSG_DONTWAIT);
  }
}

}  // namespace berth
