#include "agent/core/task_lifecycle.h"

#include <algorithm>
#include <array>

#include "common/check.h"

namespace berth {
namespace {

struct Transition {
  v1::TaskState from;
  v1::TaskState to;
};

// A shim takes the locks and is prepared in one exchange, so LOCKED is passed unseen.
constexpr std::array<Transition, 20> kTransitions = {
    {
     {v1::TASK_STATE_JOURNALED, v1::TASK_STATE_PREPARED},
     {v1::TASK_STATE_JOURNALED, v1::TASK_STATE_SPAWNED},
     {v1::TASK_STATE_JOURNALED, v1::TASK_STATE_STOPPING},
     {v1::TASK_STATE_JOURNALED, v1::TASK_STATE_EXITED},
     {v1::TASK_STATE_JOURNALED, v1::TASK_STATE_FENCED},
     {v1::TASK_STATE_JOURNALED, v1::TASK_STATE_LOST_SHIM},
     {v1::TASK_STATE_JOURNALED, v1::TASK_STATE_LOST_REBOOT},
     {v1::TASK_STATE_PREPARED, v1::TASK_STATE_SPAWNED},
     {v1::TASK_STATE_PREPARED, v1::TASK_STATE_STOPPING},
     {v1::TASK_STATE_PREPARED, v1::TASK_STATE_EXITED},
     {v1::TASK_STATE_PREPARED, v1::TASK_STATE_LOST_SHIM},
     {v1::TASK_STATE_SPAWNED, v1::TASK_STATE_RUNNING},
     {v1::TASK_STATE_SPAWNED, v1::TASK_STATE_STOPPING},
     {v1::TASK_STATE_SPAWNED, v1::TASK_STATE_EXITED},
     {v1::TASK_STATE_SPAWNED, v1::TASK_STATE_LOST_SHIM},
     {v1::TASK_STATE_RUNNING, v1::TASK_STATE_STOPPING},
     {v1::TASK_STATE_RUNNING, v1::TASK_STATE_EXITED},
     {v1::TASK_STATE_RUNNING, v1::TASK_STATE_LOST_SHIM},
     {v1::TASK_STATE_STOPPING, v1::TASK_STATE_EXITED},
     {v1::TASK_STATE_STOPPING, v1::TASK_STATE_LOST_SHIM},
     }
};

}  // namespace

bool HasEnded(v1::TaskState state) {
  return state == v1::TASK_STATE_EXITED || state == v1::TASK_STATE_ACKED ||
         state == v1::TASK_STATE_FENCED || state == v1::TASK_STATE_LOST_SHIM ||
         state == v1::TASK_STATE_LOST_REBOOT;
}

bool CanMove(v1::TaskState from, v1::TaskState to) {
  if (to == v1::TASK_STATE_ACKED) {
    return HasEnded(from) && from != v1::TASK_STATE_ACKED;
  }
  return std::any_of(kTransitions.begin(), kTransitions.end(),
                     [&](const Transition& row) { return row.from == from && row.to == to; });
}

void Move(v1::TaskState& state, v1::TaskState to) {
  BERTH_CHECK(CanMove(state, to));
  state = to;
}

void TaskTransitionCounts::Add(const TaskTransitionCounts& other) {
  for (size_t from = 0; from < counts_.size(); ++from) {
    for (size_t to = 0; to < counts_.size(); ++to) {
      counts_[from][to] += other.counts_[from][to];
    }
  }
}

}  // namespace berth
