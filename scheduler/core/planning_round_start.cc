// The part of PlanningRound that tries to start one job, or has room made for it.

#include <algorithm>
#include <utility>

#include "scheduler/core/admission.h"
#include "scheduler/core/planning_round.h"

namespace berth {
namespace {

// A1 to A4: another phase may see it otherwise.
bool IsQuota(ReasonCode code) {
  return code >= ReasonCode::kTenantLimit && code <= ReasonCode::kShortfall;
}

}  // namespace

bool PlanningRound::StartNext(Phase phase, GroupId id, JobId oldest, const Tenant& tenant) {
  GroupState& state = StateOf(id);
  const PendingGroup& group = *state.group;
  const JobId job = state.hopeless ? JobId() : states_.NextJob(state, oldest);
  if (!job) {
    return false;
  }
  if (tenant.suspended) {
    state.hopeless = true;
    state.blocker = {.code = ReasonCode::kTenantSuspended};
    return false;
  }
  std::vector<ClassId> any;
  const std::vector<ClassId>& classes = ClassesOf(group, any);
  std::optional<Blocker> first;
  bool by_quota = false;
  bool by_anchor = false;
  for (ClassId device_class : classes) {
    const auto blocker = books_.TryStart({group, job, device_class, phase});
    if (!blocker.has_value()) {
      PassHead(state, job, tenant);
      state.blocker = {.code = ReasonCode::kBeingEvaluated};
      return true;
    }
    by_quota |= IsQuota(blocker->code);
    by_anchor |= blocker->code == ReasonCode::kBehindAnchor;
    first = first.has_value() ? first : blocker;
  }
  state.blocker = first.value_or(Blocker{.code = ReasonCode::kNoNodes});
  // An elastic gang may borrow more nodes than it could own, and those in other places.
  state.hopeless = !by_quota && !group.key.gang.is_elastic();
  if (MakeRoom(phase, state, job, classes, tenant)) {
    state.hopeless = false;
    PassHead(state, job, tenant);
    return true;
  }
  // Whether it delays an anchor depends on when it ends: that holds for none but itself.
  if (by_anchor) {
    refusal_.reset();
  }
  return false;
}

void PlanningRound::PassHead(GroupState& state, JobId job, const Tenant& tenant) {
  ++state.tasks_started;
  // An array has started with its last task: who waits for that may start now.
  const bool is_awaited = cluster_.GetJob(job).is_array() && !cluster_.DependentsOf(job).empty();
  if (is_awaited || !MayBePassed(tenant)) {
    books_.PlanAgain();
  }
}

bool PlanningRound::MakeRoom(Phase phase, GroupState& state, JobId job,
                             const std::vector<ClassId>& classes, const Tenant& tenant) {
  const PendingGroup& group = *state.group;
  const int64_t found_before = books_.recalls_found();
  const int64_t forbidden_before = books_.recalls_forbidden();
  // What it may still borrow, nobody of its tenant has to give up.
  const bool swaps = phase == Phase::kBorrow || state.hopeless;
  if ((phase == Phase::kOwned && Recall(ReclaimScope::kBorrowers, group, job, classes)) ||
      (swaps && Recall(ReclaimScope::kLowerPriority, group, job, classes)) ||
      (phase == Phase::kOwned && MayAnchor(tenant) &&
       Anchor(group, job, classes, phase) == RoundBooks::Anchored::kRecall)) {
    return true;
  }
  // A recall that was found may be one for a job that ends before the anchor starts.
  const bool found = books_.recalls_found() != found_before;
  if (phase == Phase::kBorrow || !found) {
    const bool searched = !found && books_.recalls_forbidden() == forbidden_before;
    refusal_ = {state.blocker, searched};
  }
  return false;
}

const std::vector<ClassId>& PlanningRound::ClassesOf(const PendingGroup& group,
                                                     std::vector<ClassId>& any) const {
  if (group.key.gang.devices_per_node > 0 && !group.key.gang.classes.empty()) {
    return group.key.gang.classes;
  }
  any = ClassOrder(cluster_, group.key.tenant, group.key.gang);
  return any;
}

bool PlanningRound::Recall(ReclaimScope scope, const PendingGroup& group, JobId job,
                           const std::vector<ClassId>& classes) {
  return std::any_of(classes.begin(), classes.end(), [&](ClassId device_class) {
    const bool anybody =
        scope == ReclaimScope::kBorrowers ||
        cluster_.LowestPriority(group.key.tenant, device_class).value_or(group.key.priority) <
            group.key.priority;
    return anybody && books_.TryRecall({group, job, device_class, Phase::kOwned}, scope);
  });
}

RoundBooks::Anchored PlanningRound::Anchor(const PendingGroup& group, JobId job,
                                           const std::vector<ClassId>& classes, Phase phase) {
  for (ClassId device_class : classes) {
    const RoundBooks::Anchored anchored = books_.TryAnchor({group, job, device_class, phase});
    if (anchored != RoundBooks::Anchored::kNone) {
      return anchored;
    }
  }
  return RoundBooks::Anchored::kNone;
}

}  // namespace berth
