#ifndef BERTH_AGENT_SHIM_TASK_LOCKS_H_
#define BERTH_AGENT_SHIM_TASK_LOCKS_H_

#include <optional>
#include <string>

#include "agent/shim/shim_protocol.h"

namespace berth {

struct LockRefusal {
  ShimEvent::Kind kind;  // kLockHeld: by another task; kFailed
  std::string message;
};

// Takes every lock of the task, its own and those that it shares with others. They are held until
// this process has ended. None: all are held.
std::optional<LockRefusal> TakeTaskLocks(const TaskFile& task);

}  // namespace berth

#endif  // BERTH_AGENT_SHIM_TASK_LOCKS_H_
