#ifndef BERTH_AGENT_CORE_TASK_LIFECYCLE_H_
#define BERTH_AGENT_CORE_TASK_LIFECYCLE_H_

// The states of a task on its node and the table of their transitions (protocol.md, "Agent's
// member").

#include <array>
#include <cstddef>
#include <cstdint>

#include "proto/agent_api.pb.h"

namespace berth {

bool CanMove(v1::TaskState from, v1::TaskState to);
// The only place that assigns a task's state. Requires: CanMove(state, to).
void Move(v1::TaskState& state, v1::TaskState to);
// Nothing of it runs any more.
bool HasEnded(v1::TaskState state);

// How often each transition was taken. A value.
class TaskTransitionCounts {
 public:
  void Count(v1::TaskState from, v1::TaskState to) {
    ++counts_[static_cast<size_t>(from)][static_cast<size_t>(to)];
  }
  int64_t Of(v1::TaskState from, v1::TaskState to) const {
    return counts_[static_cast<size_t>(from)][static_cast<size_t>(to)];
  }
  void Add(const TaskTransitionCounts& other);

 private:
  std::array<std::array<int64_t, v1::TaskState_ARRAYSIZE>, v1::TaskState_ARRAYSIZE> counts_{};
};

}  // namespace berth

#endif  // BERTH_AGENT_CORE_TASK_LIFECYCLE_H_
