// The part of PlanningRound that gives borrow requests their turn which have waited for long.

#include <algorithm>
#include <limits>
#include <tuple>

#include "scheduler/core/planning_round.h"

namespace berth {
namespace {

constexpr JobId kLastJob(std::numeric_limits<JobId::value_type>::max());

}  // namespace

void PlanningRound::ListOldest(ClassId queue, const TenantQueue& groups, const QueueAge& last,
                               AgedLine& line) {
  const auto next = groups.by_age().upper_bound(last);
  if (next != groups.by_age().end() && std::get<absl::Time>(*next) + policy_.borrow_age <= now_) {
    line.push({*next, queue, true});
  }
}

void PlanningRound::ListAged(ClassId queue, const Tenant& tenant, const TenantQueue& groups,
                             AgedLine& line) {
  if (!MayAnchor(tenant)) {
    return;
  }
  if (MayBePassed(tenant)) {
    // A group whose oldest job is young has none that is ripe.
    const QueueAge ripe = {now_ - policy_.borrow_age, kLastJob, GroupId()};
    if (const auto young = groups.by_age().upper_bound(ripe); young != groups.by_age().end()) {
      books_.LookAgainAt(std::get<absl::Time>(*young) + policy_.borrow_age);
    }
    ListOldest(queue, groups, {absl::InfinitePast(), JobId(), GroupId()}, line);
    return;
  }
  for (const QueuePlace& place : groups.places()) {
    const absl::Time ripe_at = place.submitted_at + policy_.borrow_age;
    books_.LookAgainAt(ripe_at);
    const JobId oldest = states_.NextJob(StateOf(place.group), place.oldest);
    if (ripe_at <= now_ && oldest) {
      line.push({
          {cluster_.GetJob(oldest).submitted_at, oldest, place.group},
          queue
      });
    }
    if (IsLock(place, tenant)) {
      break;
    }
  }
}

void PlanningRound::AnchorOldest() {
  AgedLine line;
  std::vector<ClassId> open;  // queues without an anchor
  for (const auto& [queue, tenants] : cluster_.queues()) {
    if (books_.HasAnchor(queue)) {
      continue;
    }
    open.push_back(queue);
    for (const auto& [tenant, groups] : tenants) {
      ListAged(queue, *cluster_.quota().FindTenant(tenant), groups, line);
    }
  }
  while (!open.empty() && !line.empty() && !books_.IsFull()) {
    const Aged aged = line.top();
    line.pop();
    if (std::count(open.begin(), open.end(), aged.queue) > 0) {
      AnchorAged(aged, open, line);
    }
  }
}

void PlanningRound::AnchorAged(const Aged& aged, std::vector<ClassId>& open, AgedLine& line) {
  const auto& [submitted_at, oldest, id] = aged.age;
  const PendingGroup& group = cluster_.GetGroup(id);
  const Tenant& tenant = *cluster_.quota().FindTenant(group.key.tenant);
  const TenantQueue& groups = cluster_.queues().at(aged.queue).at(tenant.id);
  if (aged.leads) {
    ListOldest(aged.queue, groups, aged.age, line);
  }
  const JobId job = states_.NextJob(StateOf(id), oldest);
  if (job && job == oldest && IsRipe(job) && !StartNext(Phase::kBorrow, id, oldest, tenant)) {
    std::vector<ClassId> any;
    const auto anchored = Anchor(group, job, ClassesOf(group, any), Phase::kBorrow);
    std::erase_if(open, [&](ClassId of) {
      // Of those that name no class one is enough, in whatever class.
      return of ? books_.HasAnchor(of) : anchored == RoundBooks::Anchored::kAnchor && !aged.queue;
    });
    return;
  }
  // Another of the group is the oldest now, or who stood behind this head.
  const JobId next = states_.NextJob(StateOf(id), oldest);
  if (next && IsRipe(next)) {
    line.push({
        {cluster_.GetJob(next).submitted_at, next, id},
        aged.queue
    });
  } else if (!next && !MayBePassed(tenant)) {
    ListAged(aged.queue, tenant, groups, line);
  }
}

}  // namespace berth
