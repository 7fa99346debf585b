#include "scheduler/core/planning_round.h"

#include <algorithm>
#include <utility>

namespace berth {

PlanningRound::PlanningRound(const Cluster& cluster, const Policy& policy, absl::Time now)
    : cluster_(cluster),
      policy_(policy),
      now_(now),
      books_(cluster, policy, now),
      states_(cluster, books_) {}

Plan PlanningRound::Run() {
  books_.SettleNominations();
  ConsiderNominated();
  for (const Phase phase : {Phase::kOwned, Phase::kBorrow}) {
    if (phase == Phase::kBorrow) {
      AnchorOldest();
    }
    for (const auto& [device_class, tenants] : cluster_.queues()) {
      RunPhase(phase, device_class, tenants);
    }
  }
  Plan plan = books_.TakePlan();
  plan.blockers = states_.TakeBlockers();
  return plan;
}

void PlanningRound::ConsiderNominated() {
  for (const auto& [id, claim] : cluster_.nominations()) {
    if (books_.IsNominated(id)) {
      StateOf(cluster_.GetJob(id).group);
    }
  }
}

void PlanningRound::RunPhase(Phase phase, ClassId device_class,
                             const std::map<TenantId, TenantQueue>& tenants) {
  // Elsewhere, those who may start in a class that something has happened in.
  const bool all = books_.scope().LooksAt(device_class);
  std::vector<Turn> turns;
  turns.reserve(tenants.size());
  for (const auto& [tenant, groups] : tenants) {
    if (all || groups.mixed() > 0) {
      turns.push_back({ShareOf(phase, tenant, device_class), tenant, turns.size()});
    }
  }
  walks_.Clear();
  std::vector<std::optional<QueueWalk>> begun(turns.size());  // with the first turn
  std::priority_queue line(std::greater<Turn>(), std::move(turns));
  while (!line.empty() && !books_.IsFull()) {
    Turn turn = line.top();
    line.pop();
    const TenantQueue& groups = tenants.at(turn.tenant);
    const Tenant& tenant = *cluster_.quota().FindTenant(turn.tenant);
    Reach reach = ReachOf(phase, tenant, device_class);
    std::optional<QueueWalk>& walk = begun[turn.walk];
    if (!walk.has_value()) {
      walk = walks_.Begin(groups, MayBeRefusedAlike(tenant), [&](const QueuePlace& place) {
        return (!all && place.plain) || IsBeyond(place, reach, tenant);
      });
    }
    if (StartOne(phase, tenant, groups, reach, *walk)) {
      turn.share = ShareOf(phase, turn.tenant, device_class);
      line.push(turn);
    }
  }
}

bool PlanningRound::StartOne(Phase phase, const Tenant& tenant, const TenantQueue& groups,
                             Reach& reach, QueueWalk& walk) {
  while (const QueuePlace* place = walk.next()) {
    if (IsBeyond(*place, reach, tenant)) {
      walk.PassAlike();
      continue;
    }
    if (RefusedAlike(phase, walk, reach)) {
      continue;
    }
    refusal_.reset();
    if (StartNext(phase, place->group, place->oldest, tenant)) {
      return true;
    }
    if (!MayBePassed(tenant) && LocksQueue(phase, *place, groups, tenant)) {
      walk.Finish();
      break;
    }
    NoteRefusal(walk);
    walk.Pass();
  }
  return false;
}

bool PlanningRound::MayBeRefusedAlike(const Tenant& tenant) const {
  return MayBePassed(tenant) && cluster_.bookings().empty() &&
         !cluster_.quota().has_project_limits();
}

bool PlanningRound::RefusedAlike(Phase phase, QueueWalk& walk, const Reach& reach) {
  const QueuePlace* place = walk.next();
  std::optional<QueueWalk::Refusal> refusal = walk.refusal();
  if (const auto found = hopeless_.find(walk.alike()); !refusal && found != hopeless_.end()) {
    refusal = found->second;
  }
  // One that has been considered may have started. For one that a lower priority could make room
  // for, that has to be searched.
  if (!refusal.has_value() || states_.Contains(place->group) ||
      (!refusal->searched && Lowest(*place, reach) < place->priority)) {
    return false;
  }
  walk.PassTo(phase == Phase::kBorrow ? states_.Refuse(*walk.alike(), place, refusal->blocker)
                                      : states_.NextConsidered(*walk.alike(), place));
  return true;
}

void PlanningRound::NoteRefusal(QueueWalk& walk) {
  const bool alone = walk.alike() == nullptr || walk.alike()->places.size() == 1;
  if (!refusal_.has_value() || alone || !walk.next()->whole) {
    return;
  }
  walk.Note(*refusal_);
  if (StateOf(walk.next()->group).hopeless) {
    hopeless_[walk.alike()] = *refusal_;
  }
}

int PlanningRound::Lowest(const QueuePlace& place, const Reach& reach) const {
  if (place.plain) {
    return reach.lowest.value_or(place.priority);
  }
  const GroupKey& key = cluster_.GetGroup(place.group).key;
  int lowest = place.priority;
  for (const ClassId device_class : key.gang.classes) {
    lowest = std::min(lowest, cluster_.LowestPriority(key.tenant, device_class).value_or(lowest));
  }
  return lowest;
}

PlanningRound::Reach PlanningRound::ReachOf(Phase phase, const Tenant& tenant,
                                            ClassId device_class) const {
  Reach reach{.lowest = cluster_.LowestPriority(tenant.id, device_class)};
  if (phase == Phase::kOwned && device_class && MayBePassed(tenant)) {
    reach.bounded = true;
    reach.room = books_.quota().OwnedRoom(tenant.id, device_class);
  }
  return reach;
}

bool PlanningRound::IsBeyond(const QueuePlace& place, Reach& reach, const Tenant& tenant) const {
  if (!reach.bounded || !place.whole || place.least_devices <= reach.room) {
    return false;
  }
  if (!place.plain && !reach.most.has_value()) {
    reach.most = reach.room;
    for (const auto& [device_class, name] : cluster_.classes()) {
      reach.most = std::max(*reach.most, books_.quota().OwnedRoom(tenant.id, device_class));
    }
  }
  return place.plain || place.least_devices > *reach.most;
}

Share PlanningRound::ShareOf(Phase phase, TenantId tenant, ClassId device_class) const {
  const QuotaView::Position& position = books_.quota().Of(tenant, device_class);
  const int64_t used = position.use.used();
  return phase == Phase::kOwned ? OwnedShare(position.limits, used)
                                : BorrowShare(position.limits, used);
}

bool PlanningRound::IsLock(const QueuePlace& place, const Tenant& tenant) {
  if (MayBePassed(tenant)) {
    return false;
  }
  const JobId job = states_.NextJob(StateOf(place.group), place.oldest);
  if (!job) {
    return false;
  }
  const absl::Time unlocks = cluster_.GetJob(job).submitted_at + tenant.stepped_timeout;
  const bool stepped = tenant.queue_preset == QueuePreset::kStepped && now_ < unlocks;
  if (stepped) {
    books_.LookAgainAt(unlocks);
  }
  return stepped || tenant.queue_preset == QueuePreset::kFifo;
}

bool PlanningRound::LocksQueue(Phase phase, const QueuePlace& head, const TenantQueue& groups,
                               const Tenant& tenant) {
  if (!IsLock(head, tenant)) {
    return false;
  }
  if (phase == Phase::kBorrow) {
    const JobId job = states_.NextJob(StateOf(head.group), head.oldest);
    const auto& places = groups.places();
    for (auto behind = std::next(places.find(head)); behind != places.end(); ++behind) {
      StateOf(behind->group).blocker = {.code = ReasonCode::kQueueHead, .job = job};
    }
  }
  return true;
}

}  // namespace berth
