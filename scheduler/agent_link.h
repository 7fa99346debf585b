#ifndef BERTH_SCHEDULER_AGENT_LINK_H_
#define BERTH_SCHEDULER_AGENT_LINK_H_

// One agent's stream as the control loop sees it. Implemented by rpc/agent_service and by the fake
// of the tests.

#include "scheduler/core/node_command.h"

namespace berth {

class AgentLink {
 public:
  virtual ~AgentLink() = default;
  // Queues one command. Called by the loop thread; must not block. A link that has ended drops it.
  virtual void Send(const NodeCommand& command) = 0;
  // The stream is replaced by a newer one or the scheduler stops.
  virtual void Close() = 0;
};

}  // namespace berth

#endif  // BERTH_SCHEDULER_AGENT_LINK_H_
