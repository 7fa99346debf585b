// The part of PlanningRound that gives borrow requests their turn which have waited for long.

#include <algorithm>
#include <tuple>

#include "scheduler/core/planning_round.h"

namespace berth {

void PlanningRound::ListOldest(ClassId queue, const TenantQueue& groups, const QueueAge& last,
                               AgedLine& line) {
  // A group whose oldest job is young has none that is ripe.
  const auto& ages = groups.by_age();
  const auto next = std::find_if(ages.upper_bound(last), ages.end(), [this](const QueueAge& age) {
    return IsRipe(std::get<absl::Time>(age));
  });
  if (next != ages.end()) {
    line.push({*next, queue, true});
  }
}

void PlanningRound::ListAged(ClassId queue, const Tenant& tenant, const TenantQueue& groups,
                             AgedLine& line) {
  if (tenant.suspended || !MayAnchor(tenant)) {
    return;
  }
  if (MayBePassed(tenant)) {
    const auto& times = groups.submissions();
    if (const auto young = times.upper_bound(now_ - policy_.borrow_age); young != times.end()) {
      books_.LookAgainAt(*young + policy_.borrow_age);
    }
    ListOldest(queue, groups, QueueAge(), line);
    return;
  }
  for (const QueuePlace& place : groups.places()) {
    const absl::Time ripe_at = place.submitted_at + policy_.borrow_age;
    books_.LookAgainAt(ripe_at);
    const JobId oldest = states_.NextJob(StateOf(place.group), place.oldest);
    if (ripe_at <= now_ && oldest) {
      line.push({AgeOf(oldest, place.group), queue});
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
      if (!books_.scope().LooksAt(queue) && groups.mixed() == 0) {
        continue;
      }
      ListAged(queue, *cluster_.quota().FindTenant(tenant), groups, line);
    }
  }
  for (const auto& [device_class, anchor] : books_.scope().kept_anchors()) {
    const GroupId group = cluster_.GetJob(anchor->job).group;
    line.push({.age = AgeOf(anchor->job, group), .queue = device_class, .kept = true});
  }
  while (!open.empty() && !line.empty() && !books_.IsFull()) {
    const Aged aged = line.top();
    line.pop();
    if (aged.kept) {
      books_.KeepAnchor(aged.queue);
      std::erase(open, aged.queue);
    } else if (std::count(open.begin(), open.end(), aged.queue) > 0) {
      AnchorAged(aged, open, line);
    }
  }
  for (const auto& [device_class, anchor] : books_.scope().kept_anchors()) {
    books_.KeepAnchor(device_class);
  }
}

void PlanningRound::AnchorAged(const Aged& aged, std::vector<ClassId>& open, AgedLine& line) {
  const auto& [oldest, submitted_at, id] = aged.age;
  const PendingGroup& group = cluster_.GetGroup(id);
  const Tenant& tenant = *cluster_.quota().FindTenant(group.key.tenant);
  const TenantQueue& groups = cluster_.queues().at(aged.queue).at(tenant.id);
  if (aged.listed_alone) {
    ListOldest(aged.queue, groups, aged.age, line);
  }
  const JobId job = states_.NextJob(StateOf(id), oldest);
  if (job && job == oldest && IsRipe(submitted_at) &&
      !StartNext(Phase::kBorrow, id, oldest, tenant)) {
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
  if (next && IsRipe(cluster_.GetJob(next).submitted_at)) {
    line.push({AgeOf(next, id), aged.queue});
  } else if (!next && !MayBePassed(tenant)) {
    ListAged(aged.queue, tenant, groups, line);
  }
}

}  // namespace berth
