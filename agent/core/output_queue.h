#ifndef BERTH_AGENT_CORE_OUTPUT_QUEUE_H_
#define BERTH_AGENT_CORE_OUTPUT_QUEUE_H_

// What the core has decided and is not carried out yet, in order. While the disk takes the records
// of one output, all that is decided meanwhile becomes the next, so that many share one force to
// the disk. Nothing overtakes: a stop must find its task, and a heartbeat tells only of what is
// durable. Owned by the Agent (or the simulator); one thread.

#include <optional>

#include "agent/core/agent_core.h"

namespace berth {

class OutputQueue {
 public:
  // Behind all that waits.
  void Add(AgentOutput output);
  void Add(v1::AgentMessage message);
  // All that waits, which is under way from now on. nullptr: nothing waits, or one is under way
  // already. Valid until Finish.
  AgentOutput* Begin();
  // Requires: one is under way.
  AgentOutput& under_way() { return *under_way_; }
  bool busy() const { return under_way_.has_value(); }
  // What was under way is carried out.
  void Finish() { under_way_.reset(); }
  // Those that were for a stream which has ended.
  void DropMessages();

 private:
  std::optional<AgentOutput> waiting_;
  std::optional<AgentOutput> under_way_;
};

}  // namespace berth

#endif  // BERTH_AGENT_CORE_OUTPUT_QUEUE_H_
