#include "agent/core/lifecycle.h"

#include <algorithm>
#include <array>
#include <utility>

namespace berth::agent {
namespace {

using Step = std::pair<v1::TaskState, v1::TaskState>;

// An adopted task begins as journaled, whatever it was before the agent's end; so the later states
// can follow that one at once. Whatever has not ended can be found lost.
constexpr std::array<Step, 26> kSteps = {
    {
     {v1::TASK_STATE_JOURNALED, v1::TASK_STATE_LOCKED},
     {v1::TASK_STATE_JOURNALED, v1::TASK_STATE_PREPARED},
     {v1::TASK_STATE_JOURNALED, v1::TASK_STATE_RUNNING},
     {v1::TASK_STATE_JOURNALED, v1::TASK_STATE_STOPPING},
     {v1::TASK_STATE_JOURNALED, v1::TASK_STATE_EXITED},
     {v1::TASK_STATE_JOURNALED, v1::TASK_STATE_LOST_SHIM},
     {v1::TASK_STATE_JOURNALED, v1::TASK_STATE_LOST_REBOOT},
     {v1::TASK_STATE_LOCKED, v1::TASK_STATE_PREPARED},
     {v1::TASK_STATE_LOCKED, v1::TASK_STATE_RUNNING},
     {v1::TASK_STATE_LOCKED, v1::TASK_STATE_STOPPING},
     {v1::TASK_STATE_LOCKED, v1::TASK_STATE_EXITED},
     {v1::TASK_STATE_LOCKED, v1::TASK_STATE_LOST_SHIM},
     {v1::TASK_STATE_PREPARED, v1::TASK_STATE_SPAWNED},
     {v1::TASK_STATE_PREPARED, v1::TASK_STATE_RUNNING},
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

bool CanFollow(v1::TaskState from, v1::TaskState to) {
  if (HasEnded(from)) {
    return to == v1::TASK_STATE_ACKED;
  }
  return std::find(kSteps.begin(), kSteps.end(), Step(from, to)) != kSteps.end();
}

bool HasEnded(v1::TaskState state) {
  return state == v1::TASK_STATE_EXITED || state == v1::TASK_STATE_ACKED ||
         state == v1::TASK_STATE_FENCED || state == v1::TASK_STATE_LOST_SHIM ||
         state == v1::TASK_STATE_LOST_REBOOT;
}

bool IsLast(v1::ReportKind kind) {
  return kind != v1::REPORT_KIND_PREPARED && kind != v1::REPORT_KIND_STARTED;
}

v1::TaskState StateAfter(v1::ReportKind kind) {
  if (kind == v1::REPORT_KIND_LOST_SHIM) {
    return v1::TASK_STATE_LOST_SHIM;
  }
  if (kind == v1::REPORT_KIND_LOST_REBOOT) {
    return v1::TASK_STATE_LOST_REBOOT;
  }
  return kind == v1::REPORT_KIND_NEVER_RAN ? v1::TASK_STATE_FENCED : v1::TASK_STATE_EXITED;
}

}  // namespace berth::agent
