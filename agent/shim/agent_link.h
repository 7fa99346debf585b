#ifndef BERTH_AGENT_SHIM_AGENT_LINK_H_
#define BERTH_AGENT_SHIM_AGENT_LINK_H_

// The shim's side of its conversation with the agent, which may die and come back: the newest agent
// that connects is the one that counts. Owned by the TaskShim; one thread.

#include <optional>

#include "agent/shim/shim_protocol.h"

namespace berth {

class AgentLink {
 public:
  // `agent`: the socket of the agent that started the shim, or -1.
  explicit AgentLink(int agent) : agent_(agent) {}
  AgentLink(const AgentLink&) = delete;
  AgentLink& operator=(const AgentLink&) = delete;

  // Lets later agents connect, by kSocketFileName in the working directory. False: errno says why.
  bool Listen();
  // To be polled; -1: there is none.
  int listener() const { return listener_; }
  int agent() const { return agent_; }

  // The listener is ready.
  void Accept();
  // The agent's socket is ready: its command, if a whole one is there.
  std::optional<AgentCommand> Receive();
  // Without an agent, or one that does not read, it is not said.
  void Send(const ShimEvent& event) const { Send(&event, sizeof(event)); }
  void Send(const ShimNotice& notice) const { Send(&notice, sizeof(notice)); }

 private:
  void Send(const void* packet, size_t size) const;

  int agent_;
  int listener_ = -1;
};

}  // namespace berth

#endif  // BERTH_AGENT_SHIM_AGENT_LINK_H_
