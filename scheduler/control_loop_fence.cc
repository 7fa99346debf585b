// The control loop's part in fencing: it has nodes switched off that are silent and hold something,
// and records what came of it.

#include <utility>

#include "absl/strings/str_cat.h"

#include "common/log.h"
#include "scheduler/control_loop.h"
#include "scheduler/control_loop_turn.h"

namespace berth {

void ControlLoop::FenceSilentNodes(absl::Time now) {
  // A restored scheduler may be a copy on another network, where nobody can reach it.
  if (fence_command_ == nullptr || store_->recovery()) {
    return;
  }
  for (const FenceOrder& order : fencing_.Look(engine_.cluster(), engine_.policy(), now)) {
    LogWarning("a silent node is fenced: running the fence command", {
                                                                         {"node", order.name}
    });
    fence_command_->Run(order.name, [this, order](const std::string& failure) {
      Task note = [this, order, failure](Turn& turn) { NoteFenceEnd(order, failure, turn); };
      absl::MutexLock lock(&mu_);
      queue_.push_back(std::move(note));  // fences are few: never refused
    });
  }
}

void ControlLoop::NoteFenceEnd(const FenceOrder& order, const std::string& failure, Turn& turn) {
  if (!failure.empty()) {
    LogWarning("the fence command failed, it is tried again later",
               {
                   {"node",  order.name},
                   {"error", failure   }
    });
  }
  ChangeRequest request;
  request.actor.role = Role::kOperator;
  request.actor.user_name = "fence-command";
  request.event = NoteFence{order.node, order.silent_since, failure};
  request.audit.action = failure.empty() ? "fence" : "fence failed";
  request.audit.object = absl::StrCat("node/", order.name);
  request.done = [this, order, failure](const absl::StatusOr<ChangeResult>& result) {
    if (!result.ok()) {
      LogWarning("a fence is not counted",
                 {
                     {"node",  order.name                            },
                     {"error", std::string(result.status().message())}
      });
    }
    fencing_.Ended(order.node, result.ok() && failure.empty(), Now());
  };
  ApplyChange(request, turn);
}

}  // namespace berth
