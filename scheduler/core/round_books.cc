#include "scheduler/core/round_books.h"

#include <algorithm>
#include <utility>

namespace berth {
namespace {

absl::Duration LimitOf(const GroupKey& key) {
  return absl::Milliseconds(key.time_limit_ms);
}

int64_t DevicesOf(const std::vector<Placement>& members) {
  int64_t devices = 0;
  for (const Placement& member : members) {
    devices += static_cast<int64_t>(member.devices.size());
  }
  return devices;
}

}  // namespace

RoundBooks::RoundBooks(const Cluster& cluster, const Policy& policy, absl::Time now)
    : cluster_(cluster), policy_(policy), now_(now), free_(cluster), quota_(cluster) {}

PlaceRequest RoundBooks::MakeRequest(const GroupKey& key, ClassId device_class,
                                     const Grant& grant) const {
  PlaceRequest request(key.gang, device_class);
  request.tenant = key.tenant;
  request.project = key.project;
  request.funding = device_class ? grant.funding : Funding::kNone;
  request.preemptible = key.preemptible;
  request.nodes = grant.nodes;
  request.start = now_;
  request.end = now_ + LimitOf(key);
  request.suspect_nodes = &key.suspect_nodes;
  return request;
}

void RoundBooks::LookAgainAt(absl::Time time) {
  if (time > now_) {
    plan_.next_look = std::min(plan_.next_look, time);
  }
}

bool RoundBooks::IsUsable(const std::vector<Placement>& members) const {
  return std::all_of(members.begin(), members.end(), [this](const Placement& member) {
    const Node* node = cluster_.FindNode(member.node);
    if (node == nullptr || node->state != NodeState::kReady) {
      return false;
    }
    return std::all_of(member.devices.begin(), member.devices.end(), [node](const DeviceShare& s) {
      return std::any_of(node->facts.devices.begin(), node->facts.devices.end(),
                         [&s](const Device& device) {
                           return device.index == s.index && device.uuid == s.uuid &&
                                  device.health != DeviceHealth::kQuarantined;
                         });
    });
  });
}

void RoundBooks::SettleNominations() {
  for (const auto& [id, claim] : cluster_.nominations()) {
    const Job* job = cluster_.FindJob(id);
    const Reclaim& certificate = cluster_.open_reclaims().at(id);
    const absl::Time timeout = certificate.due + policy_.nomination_timeout;
    const bool waits = job != nullptr && job->group &&
                       cluster_.GetGroup(job->group).ready.contains(id) &&
                       !cluster_.quota().FindTenant(job->spec.tenant)->suspended;
    Grant grant;
    if (!waits || timeout <= now_ || !IsUsable(claim.members)) {
      plan_.lapsed.push_back(id);
      continue;
    }
    const PendingGroup& group = cluster_.GetGroup(job->group);
    const Phase phase = certificate.within_tenant ? Phase::kBorrow : Phase::kOwned;
    const bool there = free_.AreUnallocated(claim.members);
    if (there) {
      const auto blocker = quota_.Admit(group.key, claim.device_class, phase, grant);
      if (blocker.has_value() || grant.nodes < static_cast<int>(claim.members.size())) {
        plan_.lapsed.push_back(id);
        continue;
      }
    }
    nominated_.insert(id);
    if (there) {
      Start start = claim;
      start.funding = grant.funding;
      Record(group.key, MakeRequest(group.key, claim.device_class, grant), std::move(start));
    } else {
      quota_.Charge(group.key, claim.device_class, DevicesOf(claim.members), claim.funding);
      LookAgainAt(timeout);
    }
  }
}

std::optional<Blocker> RoundBooks::TryStart(const Trial& trial) {
  const GroupKey& key = trial.group.key;
  Grant grant{.nodes = key.gang.nodes, .funding = Funding::kNone, .owned_claim = true};
  if (trial.device_class) {
    if (auto blocker = quota_.Admit(key, trial.device_class, trial.phase, grant)) {
      return blocker;
    }
  }
  const PlaceRequest request = MakeRequest(key, trial.device_class, grant);
  Blocker why;
  std::optional<std::vector<Placement>> members = free_.Place(request, why);
  if (!members.has_value()) {
    return why;
  }
  if (trial.device_class && !grant.owned_claim) {
    const int64_t devices = DevicesOf(*members);
    if (auto blocker = quota_.CheckLendable(key.tenant, trial.device_class, devices,
                                            free_.FreeCount(trial.device_class))) {
      return blocker;
    }
  }
  if (auto blocker = AskGuard(trial, request, *members)) {
    return blocker;
  }
  Record(key, request, {trial.job, trial.device_class, request.funding, *std::move(members)});
  return std::nullopt;
}

std::optional<Blocker> RoundBooks::AskGuard(const Trial& trial, const PlaceRequest& request,
                                            const std::vector<Placement>& members) {
  const auto found = guards_.find(trial.device_class);
  if (found == guards_.end()) {
    return std::nullopt;
  }
  Guard& guard = found->second;
  const Anchor& anchor = guard.anchor();
  // A borrower that can be recalled in time does not delay an owned claim.
  const absl::Duration notice = absl::Milliseconds(trial.group.key.grace_ms) + policy_.kill_timeout;
  const bool recallable = guard.request().funding == Funding::kOwned &&
                          request.funding == Funding::kBorrowed && now_ + notice <= anchor.shadow;
  if (recallable || guard.TryTake(request, members, request.end)) {
    return std::nullopt;
  }
  return Blocker{.code = ReasonCode::kBehindAnchor,
                 .device_class = trial.device_class,
                 .job = anchor.job,
                 .until = anchor.shadow};
}

void RoundBooks::Record(const GroupKey& key, const PlaceRequest& request, Start start) {
  free_.Take(request, start.members);
  for (auto& [device_class, reclaimer] : reclaimers_) {
    reclaimer.Take(request, start.members);
  }
  if (start.device_class) {
    quota_.Charge(key, start.device_class, DevicesOf(start.members), start.funding);
  }
  round_starts_.push_back({key.gang, start.device_class, start.members, request.end});
  plan_.starts.push_back(std::move(start));
}

Reclaimer& RoundBooks::ReclaimerOf(ClassId device_class) {
  const auto found = reclaimers_.find(device_class);
  if (found != reclaimers_.end()) {
    return found->second;
  }
  return reclaimers_.emplace(device_class, Reclaimer(cluster_, policy_, device_class, free_, now_))
      .first->second;
}

// What the claim may have once `to_free` devices of its own tenant are given back.
std::optional<Grant> RoundBooks::GrantFor(const Trial& trial, ReclaimScope scope,
                                          int64_t& to_free) const {
  const GroupKey& key = trial.group.key;
  Grant grant;
  to_free = 0;
  if (scope == ReclaimScope::kBorrowers) {
    return quota_.Admit(key, trial.device_class, Phase::kOwned, grant).has_value()
               ? std::nullopt
               : std::optional<Grant>(grant);
  }
  // A swap inside the tenant: it does not use more than before, nor more than it may.
  const QuotaView::Position& position = quota_.Of(key.tenant, trial.device_class);
  const int64_t used = position.use.used();
  const int64_t entitlement = position.limits.entitlement;
  const bool may_borrow = key.preemptible && key.may_borrow;
  int64_t bound = may_borrow ? std::max(entitlement, used) : entitlement;
  bound = std::min(bound, position.limits.limit.value_or(bound));
  const int64_t after = used + key.gang.least_devices();
  to_free = std::max<int64_t>(after - bound, 0);
  grant.nodes = key.gang.least_nodes();
  grant.owned_claim = after - to_free <= entitlement;
  grant.funding = grant.owned_claim ? Funding::kOwned : Funding::kBorrowed;
  return grant;
}

bool RoundBooks::TryRecall(const Trial& trial, ReclaimScope scope) {
  if (!trial.device_class) {
    return false;
  }
  int64_t to_free = 0;
  const std::optional<Grant> grant = GrantFor(trial, scope, to_free);
  if (!grant.has_value()) {
    return false;
  }
  const GroupKey& key = trial.group.key;
  const PlaceRequest request = MakeRequest(key, trial.device_class, *grant);
  Reclaimer& reclaimer = ReclaimerOf(trial.device_class);
  std::optional<Recall> recall = reclaimer.Find({key, trial.job, request, scope, to_free});
  LookAgainAt(reclaimer.next_look());
  if (!recall.has_value()) {
    return false;
  }
  const auto guard = guards_.find(trial.device_class);
  const absl::Time end = recall->certificate.due + LimitOf(key);
  if (guard != guards_.end() && !guard->second.TryTake(request, recall->claim.members, end)) {
    return false;
  }
  reclaimer.Accept(request, *recall);
  free_.Keep(recall->claim.members);
  quota_.Charge(key, trial.device_class, DevicesOf(recall->claim.members), grant->funding);
  LookAgainAt(recall->certificate.due + policy_.nomination_timeout);
  plan_.recalls.push_back(*std::move(recall));
  return true;
}

bool RoundBooks::TryAnchor(const Trial& trial) {
  if (HasAnchor(trial.device_class)) {
    return false;
  }
  const GroupKey& key = trial.group.key;
  Grant grant{.nodes = key.gang.nodes, .funding = Funding::kNone, .owned_claim = true};
  if (trial.device_class && quota_.Admit(key, trial.device_class, trial.phase, grant)) {
    return false;
  }
  const PlaceRequest request = MakeRequest(key, trial.device_class, grant);
  std::optional<Guard> guard = Guard::Make(cluster_, free_, trial.job, request, round_starts_);
  if (!guard.has_value()) {
    return false;
  }
  // An owned claim may recall what was lent meanwhile, in time for its start.
  if (request.funding == Funding::kOwned) {
    LookAgainAt(guard->anchor().shadow - absl::Milliseconds(key.grace_ms) - policy_.kill_timeout);
  }
  plan_.anchors.push_back(guard->anchor());
  guards_.emplace(trial.device_class, *std::move(guard));
  return true;
}

Plan RoundBooks::TakePlan() {
  return std::move(plan_);
}

}  // namespace berth
