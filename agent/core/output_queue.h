#ifndef BERTH_AGENT_CORE_OUTPUT_QUEUE_H_
#define BERTH_AGENT_CORE_OUTPUT_QUEUE_H_

// What the core has decided and is not carried out yet, in order. While the disk takes the records
// of one output, all that is decided meanwhile becomes the next, so that many share one force to
// the disk. Nothing overtakes, as a stop must find its task; but a heartbeat need not wait, if it
// tells what was so before. Owned by the Agent (or the simulator); one thread.

#include <optional>

#include "agent/core/agent_core.h"

namespace berth {

class OutputQueue {
 public:
  // Behind all that waits.
  void Add(AgentOutput output);
  void Add(v1::AgentMessage message);
  // All that waits, which is under way from now on; `core` has decided it. nullptr: nothing waits,
  // or one is under way already. Valid until Finish.
  AgentOutput* Begin(const AgentCore& core);
  // Requires: one is under way.
  AgentOutput& under_way() { return *under_way_; }
  bool busy() const { return under_way_.has_value(); }
  // What was under way is carried out, its records are on the disk or they could not be written.
  void Finish(bool is_written);
  // The state that the present stream's messages amount to, all of it durable: what a heartbeat
  // tells that does not wait for what is under way, as if that had not begun. None: it has to wait.
  const std::optional<v1::Heartbeat>& told() const { return told_; }
  // Those that were for a stream which has ended.
  void DropMessages();

 private:
  std::optional<AgentOutput> waiting_;
  std::optional<AgentOutput> under_way_;
  std::optional<v1::Heartbeat> told_;
  std::optional<v1::Heartbeat> next_told_;  // once what is under way is carried out
};

}  // namespace berth

#endif  // BERTH_AGENT_CORE_OUTPUT_QUEUE_H_
