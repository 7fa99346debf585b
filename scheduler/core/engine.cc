#include "scheduler/core/engine.h"

#include <algorithm>
#include <utility>

#include "scheduler/core/booking_progress.h"
#include "scheduler/core/booking_requests.h"
#include "scheduler/core/center_requests.h"
#include "scheduler/core/job_progress.h"
#include "scheduler/core/job_requests.h"
#include "scheduler/core/node_protocol.h"
#include "scheduler/core/node_requests.h"
#include "scheduler/core/plan_application.h"
#include "scheduler/core/planner.h"
#include "scheduler/core/quota_requests.h"
#include "scheduler/core/step.h"
#include "scheduler/core/task_notices.h"

namespace berth {
namespace {

constexpr absl::Duration kTickInterval = absl::Seconds(1);

void Handle(const Step& step, const AgentHello& event) {
  HandleHello(step, event);
}
void Handle(const Step& step, const AgentHeartbeat& event) {
  HandleHeartbeat(step, event);
}
void Handle(const Step& step, const AgentReport& event) {
  HandleReport(step, event);
}
void Handle(const Step& step, const AgentNotices& event) {
  HandleNotices(step, event);
}
void Handle(const Step& step, const AgentFacts& event) {
  HandleFacts(step, event);
}
void Handle(const Step& step, const AgentGone& event) {
  HandleGone(step, event);
}
void Handle(const Step& step, const Tick& /*event*/) {
  HandleTick(step);
  HandleBookings(step);
  ApplyQuotaEdits(step);
}

}  // namespace

Engine::Engine(Policy policy, uint64_t sched_epoch)
    : policy_(std::move(policy)), sched_epoch_(sched_epoch) {}

void Engine::Restore(StoredState state, absl::Time now) {
  cluster_.Restore(std::move(state));
  cluster_.RefreshBookings(now);
  BeginGrace({cluster_, policy_, sched_epoch_, now, commands_});
  last_tick_ = now;
}

absl::StatusOr<Outcome> Engine::Apply(const Actor& actor, const UserEvent& event, absl::Time now) {
  const Step step{cluster_, policy_, sched_epoch_, now, commands_};
  return std::visit([&](const auto& request) { return HandleRequest(step, actor, request); },
                    event);
}

void Engine::Apply(const AgentEvent& event, absl::Time now) {
  const Step step{cluster_, policy_, sched_epoch_, now, commands_};
  if (std::holds_alternative<Tick>(event)) {
    last_tick_ = now;
    if (now >= next_look_) {
      // Once: a round that is not run, because nobody waits, must not be due for ever.
      look_again_ = true;
      next_look_ = absl::InfiniteFuture();
    }
  }
  std::visit([&](const auto& agent_event) { Handle(step, agent_event); }, event);
}

bool Engine::PlanDue() const {
  const bool anybody = !cluster_.groups().empty() || !cluster_.nominations().empty();
  return anybody && (look_again_ || !cluster_.stirred().empty());
}

void Engine::RunRound(absl::Time now) {
  // When time alone may change the plan, or nobody knows why it should have changed.
  if (look_again_ || next_look_ <= now || cluster_.stirred().empty()) {
    cluster_.StirAll();
  }
  const uint64_t version = cluster_.stirred().version();
  const Step step{cluster_, policy_, sched_epoch_, now, commands_};
  Plan plan = MakePlan(cluster_, policy_, now);
  const bool again = plan.again;
  next_look_ = plan.whole ? plan.next_look : std::min(next_look_, plan.next_look);
  look_again_ = false;
  ApplyPlan(step, std::move(plan));
  if (!again || cluster_.stirred().version() == version) {
    cluster_.SettleStirred();
  }
}

std::vector<NodeCommand> Engine::TakeCommands() {
  return std::exchange(commands_, {});
}

absl::Time Engine::NextTick() const {
  const absl::Time regular = last_tick_ + kTickInterval;
  return std::min({regular, next_look_, cluster_.NextWake().value_or(regular)});
}

}  // namespace berth
