// The part of RoundBooks that has devices given back, and makes anchors.

#include <algorithm>
#include <utility>

#include "scheduler/core/round_books.h"

namespace berth {

Reclaimer& RoundBooks::ReclaimerOf(ClassId device_class) {
  const auto found = reclaimers_.find(device_class);
  if (found != reclaimers_.end()) {
    return found->second;
  }
  return reclaimers_.emplace(device_class, Reclaimer(cluster_, policy_, device_class, free_, now_))
      .first->second;
}

std::optional<RoundBooks::Swap> RoundBooks::SwapFor(const Trial& trial, ReclaimScope scope) const {
  if (scope == ReclaimScope::kLowerPriority) {
    return SwapWithin(trial);
  }
  Swap swap;
  if (quota_.Admit(trial.group.key, trial.device_class, Phase::kOwned, swap.grant).has_value()) {
    return std::nullopt;
  }
  return swap;
}

// A swap inside the tenant: it does not use more than before, nor more than it may.
std::optional<RoundBooks::Swap> RoundBooks::SwapWithin(const Trial& trial) const {
  const GroupKey& key = trial.group.key;
  const QuotaView::Position& position = quota_.Of(key.tenant, trial.device_class);
  const int64_t used = position.use.used();
  const int64_t entitlement = position.limits.entitlement;
  const int64_t asked = key.gang.least_devices();
  // Nobody is stopped for a label.
  if (key.must_own() && quota_.FirmlyOwned(key, trial.device_class) + asked > entitlement) {
    return std::nullopt;
  }
  int64_t bound = std::max(position.share, used);
  bound = std::min(bound, position.limits.limit.value_or(bound));
  Swap swap;
  swap.to_free = std::max<int64_t>(used + asked - bound, 0);
  const QuotaKey project{key.tenant, key.project, trial.device_class};
  const auto project_limit =
      cluster_.quota().has_project_limits() ? cluster_.quota().Limits(project).limit : std::nullopt;
  const int64_t over =
      project_limit.has_value() ? quota_.ProjectUse(project).used() + asked - *project_limit : 0;
  if (over > 0) {
    swap.from_project = key.project;
    swap.to_free = std::max(swap.to_free, over);
  }
  swap.grant.nodes = key.gang.least_nodes();
  swap.grant.owned_claim = used + asked - swap.to_free <= entitlement;
  const bool owned = key.must_own() || swap.grant.owned_claim;
  swap.grant.funding = owned ? Funding::kOwned : Funding::kBorrowed;
  return swap;
}

bool RoundBooks::IsSettling(ClassId device_class) const {
  return std::any_of(plan_.lapsed.begin(), plan_.lapsed.end(), [&](JobId claim) {
    return cluster_.open_reclaims().at(claim).device_class == device_class;
  });
}

bool RoundBooks::TryRecall(const Trial& trial, ReclaimScope scope) {
  if (!trial.device_class || IsSettling(trial.device_class)) {
    return false;
  }
  const std::optional<Swap> swap = SwapFor(trial, scope);
  const GroupKey& key = trial.group.key;
  if (!swap.has_value() ||
      (scope == ReclaimScope::kLowerPriority &&
       cluster_.DevicesBelow(key.priority, key.tenant, trial.device_class) < swap->to_free)) {
    return false;
  }
  const PlaceRequest request = MakeRequest(key, trial.device_class, swap->grant);
  const PlaceMemo::Swap alike{.tenant = key.tenant,
                              .priority = key.priority,
                              .shape = trial.group.shape,
                              .device_class = trial.device_class,
                              .funding = request.funding,
                              .to_free = swap->to_free,
                              .from_project = swap->from_project};
  if (scope == ReclaimScope::kLowerPriority && DelaysAnchor(trial, alike)) {
    ++recalls_forbidden_;
    return false;
  }
  Reclaimer& reclaimer = ReclaimerOf(trial.device_class);
  std::optional<Recall> recall =
      reclaimer.Find({key, trial.job, request, scope, swap->to_free, swap->from_project});
  LookAgainAt(reclaimer.next_look());
  if (!recall.has_value()) {
    return false;
  }
  ++recalls_found_;
  if (CheckBlocks(free_, request, recall->claim.members).has_value()) {
    return false;
  }
  if (!LeavesAnchor(trial, request, *recall)) {
    if (scope == ReclaimScope::kLowerPriority) {
      memo_.NoteDelayingSwap(free_, request, alike, recall->certificate.due);
    }
    return false;
  }
  // Nobody need be asked: it was the anchor that other places would have delayed.
  const bool asks = recall->certificate.due > now_;
  if (!asks && scope == ReclaimScope::kBorrowers && HasPlaces(recall->claim)) {
    Record(key, request, std::move(recall->claim));
    return true;
  }
  Accept(trial, request, *std::move(recall));
  return true;
}

bool RoundBooks::DelaysAnchor(const Trial& trial, const PlaceMemo::Swap& swap) const {
  const std::optional<absl::Time> due = memo_.DelayingSwap(swap);
  return due.has_value() &&
         *due + trial.group.key.time_limit() > guards_.at(trial.device_class).anchor().shadow;
}

bool RoundBooks::LeavesAnchor(const Trial& trial, const PlaceRequest& request,
                              const Recall& recall) {
  Guard* const guard = GuardOf(trial.device_class);
  if (guard == nullptr) {
    return true;
  }
  PlaceRequest later = request;
  later.end = recall.certificate.due + trial.group.key.time_limit();
  int64_t devices = DevicesOf(recall.claim.members);
  for (const ReclaimCandidate& candidate : recall.certificate.candidates) {
    devices -= candidate.chosen && candidate.tenant == request.tenant ? candidate.devices : 0;
  }
  return LeavesQuotaThen(*guard, later, devices) &&
         guard->TryTake(later, recall.claim.members, later.end) == Guard::Leaves::kEnough;
}

void RoundBooks::Accept(const Trial& trial, const PlaceRequest& request, Recall recall) {
  ReclaimerOf(trial.device_class).Accept(request, recall);
  free_.Keep(recall.claim);
  ForgetPlaces();
  ChargeClaim(trial.group.key, recall.claim, recall.certificate.candidates);
  LookAgainAt(recall.certificate.due + policy_.nomination_timeout);
  // What a swap frees beyond its own claim may be enough for one that was considered before it, and
  // what a gang keeps that shrinks may be asked for next. One that asks nobody may let an anchor be
  // provided for, too.
  const auto& rows = recall.certificate.candidates;
  plan_.again = plan_.again || recall.certificate.within_tenant || recall.certificate.due <= now_ ||
                std::any_of(rows.begin(), rows.end(),
                            [](const ReclaimCandidate& row) { return row.chosen && row.shrink; });
  plan_.recalls.push_back(std::move(recall));
}

bool RoundBooks::RecallInTime(const Trial& trial, const PlaceRequest& request, absl::Time shadow) {
  // No notice is longer than this.
  const absl::Time soonest =
      shadow - cluster_.LongestGrace(trial.device_class) - policy_.kill_timeout;
  if (soonest > now_) {
    LookAgainAt(soonest);
    return false;
  }
  if (IsSettling(trial.device_class)) {
    return false;
  }
  Reclaimer reclaimer = ReclaimerOf(trial.device_class);
  reclaimer.ExpectEndsBy(shadow);
  std::optional<Recall> recall = reclaimer.Find(
      {.key = trial.group.key, .job = trial.job, .place = request, .back_by = shadow});
  LookAgainAt(reclaimer.next_look());
  const bool asks = recall.has_value() && recall->certificate.due > now_;
  if (!asks) {
    // From the next round on what starts in this one is expected back, too.
    plan_.again = plan_.again ||
                  std::any_of(round_starts_.begin(), round_starts_.end(), [&](const auto& start) {
                    return start.device_class == trial.device_class && start.end <= shadow;
                  });
    return false;
  }
  const absl::Time ask_at = shadow - (recall->certificate.due - now_);
  if (ask_at > now_) {
    LookAgainAt(ask_at);
    return false;
  }
  reclaimers_.erase(trial.device_class);
  reclaimers_.emplace(trial.device_class, std::move(reclaimer));
  Accept(trial, request, *std::move(recall));
  return true;
}

std::optional<PlaceRequest> RoundBooks::AnchorRequest(const Trial& trial) const {
  const GroupKey& key = trial.group.key;
  Grant grant{.nodes = key.gang.nodes, .funding = Funding::kNone, .owned_claim = true};
  if (trial.device_class && quota_.Admit(key, trial.device_class, trial.phase, grant)) {
    return std::nullopt;
  }
  return MakeRequest(key, trial.device_class, grant);
}

std::optional<Guard> RoundBooks::MakeGuard(const Trial& trial, const PlaceRequest& request) {
  if (memo_.IsHopeless(request, trial.group.shape)) {
    return std::nullopt;
  }
  const bool claims = trial.device_class && trial.phase == Phase::kOwned;
  std::optional<Guard> guard = Guard::Make(
      {cluster_, policy_, quota_, round_starts_, plan_.recalls, claims}, free_, trial.job, request);
  // Where blocks are owed it may be hopeless for its label only.
  if (!guard.has_value() && !quota_.KeepsAny(trial.device_class) &&
      free_.BlockClaims(trial.device_class).empty()) {
    memo_.NoteHopeless(free_, request, trial.group.shape);
  }
  return guard;
}

Guard* RoundBooks::GuardOf(ClassId device_class) {
  if (const auto found = guards_.find(device_class); found != guards_.end()) {
    return &found->second;
  }
  if (!kept_.contains(device_class)) {
    return nullptr;
  }
  const Anchor& anchor = *scope_.kept_anchors().at(device_class);
  const PendingGroup& group = cluster_.GetGroup(cluster_.GetJob(anchor.job).group);
  const Trial trial{group, anchor.job, device_class,
                    anchor.recalls_borrowed ? Phase::kOwned : Phase::kBorrow};
  const std::optional<PlaceRequest> request = AnchorRequest(trial);
  std::optional<Guard> guard = request.has_value() ? MakeGuard(trial, *request) : std::nullopt;
  if (!guard.has_value()) {
    return nullptr;
  }
  plan_.anchors.push_back(guard->anchor());
  return &guards_.emplace(device_class, *std::move(guard)).first->second;
}

RoundBooks::Anchored RoundBooks::TryAnchor(const Trial& trial) {
  if (HasAnchor(trial.device_class)) {
    return Anchored::kNone;
  }
  const std::optional<PlaceRequest> request = AnchorRequest(trial);
  if (!request.has_value()) {
    return Anchored::kNone;
  }
  std::optional<Guard> guard = MakeGuard(trial, *request);
  if (!guard.has_value()) {
    return Anchored::kNone;
  }
  if (guard->recalls_borrowed() && RecallInTime(trial, *request, guard->anchor().shadow)) {
    return Anchored::kRecall;
  }
  plan_.anchors.push_back(guard->anchor());
  guards_.emplace(trial.device_class, *std::move(guard));
  return Anchored::kAnchor;
}

bool RoundBooks::MayFindMore() const {
  const auto asks = [this](const Recall& recall) {
    const auto& rows = recall.certificate.candidates;
    return guards_.contains(recall.claim.device_class) &&
           std::any_of(rows.begin(), rows.end(), [](const auto& row) { return row.chosen; });
  };
  const auto is_anchored = [this](const RoundStart& start) {
    return std::any_of(plan_.anchors.begin(), plan_.anchors.end(),
                       [&start](const Anchor& anchor) { return anchor.job == start.job; });
  };
  const auto may_be_swapped = [this](const RoundStart& start) {
    const auto guard = guards_.find(start.device_class);
    if (guard == guards_.end()) {
      return false;
    }
    const JobSpec& anchored = cluster_.GetJob(guard->second.anchor().job).spec;
    const JobSpec& started = cluster_.GetJob(start.job).spec;
    return started.tenant == anchored.tenant && started.priority < anchored.priority;
  };
  return std::any_of(guards_.begin(), guards_.end(),
                     [](const auto& guard) { return guard.second.MayRefuseLess(); }) ||
         std::any_of(plan_.recalls.begin(), plan_.recalls.end(), asks) ||
         std::any_of(round_starts_.begin(), round_starts_.end(), is_anchored) ||
         std::any_of(round_starts_.begin(), round_starts_.end(), may_be_swapped);
}

}  // namespace berth
