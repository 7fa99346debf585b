#include "scheduler/core/round_books.h"

#include <algorithm>
#include <utility>

namespace berth {
namespace {

// How many nodes of the gang what is free and not kept is enough for.
int NodesWithin(const GangShape& gang, const Blocker& kept) {
  const int64_t lendable = std::max<int64_t>(kept.have - kept.bound, 0);
  return gang.is_elastic() ? static_cast<int>(lendable / std::max(gang.devices_per_node, 1)) : 0;
}

}  // namespace

RoundBooks::RoundBooks(const Cluster& cluster, const Policy& policy, absl::Time now)
    : cluster_(cluster),
      policy_(policy),
      now_(now),
      scope_(cluster),
      free_(cluster),
      quota_(cluster) {
  // Owned claims go before all others.
  for (const auto& [device_class, anchor] : scope_.kept_anchors()) {
    if (anchor->recalls_borrowed) {
      KeepAnchor(device_class);
    }
  }
}

PlaceRequest RoundBooks::MakeRequest(const GroupKey& key, ClassId device_class,
                                     const Grant& grant) const {
  PlaceRequest request(key.gang, device_class);
  request.tenant = key.tenant;
  request.project = key.project;
  request.funding = device_class ? grant.funding : Funding::kNone;
  request.preemptible = key.preemptible;
  request.nodes = grant.nodes;
  request.start = now_;
  request.end = now_ + key.time_limit();
  request.suspect_nodes = &key.suspect_nodes;
  return request;
}

void RoundBooks::LookAgainAt(absl::Time time) {
  if (time > now_) {
    plan_.next_look = std::min(plan_.next_look, time);
  }
}

int64_t RoundBooks::Returning(TenantId tenant, absl::Span<const ReclaimCandidate> asked) const {
  int64_t devices = 0;
  for (const ReclaimCandidate& candidate : asked) {
    if (!candidate.chosen || candidate.tenant != tenant) {
      continue;
    }
    const Job* job = cluster_.FindJob(candidate.job);
    if (job != nullptr && job->state == JobState::kStopping &&
        job->attempt.number == candidate.attempt) {
      devices += cluster_.HeldDevices(*job);
    }
  }
  return devices;
}

// The victims of its own project do not count beside it. An owned one keeps its label until it is
// gone.
void RoundBooks::ChargeClaim(const GroupKey& key, const Start& claim,
                             absl::Span<const ReclaimCandidate> asked) {
  const int64_t devices = DevicesOf(claim.members);
  int64_t left = devices;
  for (const ReclaimCandidate& candidate : asked) {
    if (!candidate.chosen || candidate.tenant != key.tenant) {
      continue;
    }
    const Job* job = cluster_.FindJob(candidate.job);
    if (job == nullptr || job->allocations.empty() || job->attempt.number != candidate.attempt ||
        job->spec.project != key.project ||
        (job->attempt.funding == Funding::kOwned && claim.funding != Funding::kOwned)) {
      continue;
    }
    const int64_t returned = std::min({left, candidate.devices, cluster_.HeldDevices(*job)});
    quota_.Uncharge(*job, returned);
    left -= returned;
  }
  quota_.Charge(key, claim.device_class, devices, claim.funding);
}

RoundBooks::Standing RoundBooks::StandingOf(const Start& claim) const {
  const Reclaim& certificate = cluster_.open_reclaims().at(claim.job);
  if (certificate.due + policy_.nomination_timeout <= now_ || !cluster_.MayStart(claim)) {
    return Standing::kLapses;
  }
  const bool waits = !HasPlaces(claim) || Returning(certificate.tenant, certificate.candidates) > 0;
  return waits ? Standing::kWaits : Standing::kSettles;
}

bool RoundBooks::HasPlaces(const Start& claim) const {
  const HostResources& asked = cluster_.GetJob(claim.job).spec.gang.per_node;
  return free_.AreUnallocated(claim.members) &&
         std::all_of(claim.members.begin(), claim.members.end(), [&](const Placement& member) {
           return asked.Fits(free_.Load(member.node).free);
         });
}

void RoundBooks::SettleNominations() {
  const WaitingClaims& claims = cluster_.waiting_claims();
  const absl::Time lapse = claims.first_due() + policy_.nomination_timeout;
  // A claim that may settle is admitted beside those before it only.
  if (lapse <= now_ || std::any_of(claims.stirred().begin(), claims.stirred().end(), [&](JobId id) {
        return StandingOf(cluster_.nominations().at(id)) == Standing::kSettles;
      })) {
    for (const auto& [id, claim] : cluster_.nominations()) {
      SettleNomination(claim);
    }
    return;
  }
  waiting_ = &claims;
  quota_.ChargeWaiting();
  LookAgainAt(lapse);
  for (const JobId id : claims.stirred()) {
    SettleNomination(cluster_.nominations().at(id));
  }
}

void RoundBooks::SettleNomination(const Start& claim) {
  const Reclaim& certificate = cluster_.open_reclaims().at(claim.job);
  const Standing standing = StandingOf(claim);
  if (standing == Standing::kLapses) {
    plan_.lapsed.push_back(claim.job);
    return;
  }
  const GroupKey& key = cluster_.GetGroup(cluster_.GetJob(claim.job).group).key;
  if (standing == Standing::kWaits) {
    nominated_.insert(claim.job);
    ChargeClaim(key, claim, certificate.candidates);
    LookAgainAt(certificate.due + policy_.nomination_timeout);
    return;
  }
  Grant grant;
  const Phase phase = certificate.within_tenant ? Phase::kBorrow : Phase::kOwned;
  const auto blocker = quota_.Admit(key, claim.device_class, phase, grant);
  quota_.Label(key, claim.device_class, DevicesOf(claim.members), grant);
  const PlaceRequest request = MakeRequest(key, claim.device_class, grant);
  if (blocker.has_value() || grant.nodes < static_cast<int>(claim.members.size()) ||
      CheckBlocks(free_, request, claim.members).has_value()) {
    plan_.lapsed.push_back(claim.job);
    return;
  }
  nominated_.insert(claim.job);
  Start start = claim;
  start.funding = grant.funding;
  free_.GiveHosts(claim);
  // Nobody saw it until now: an owner, or a higher priority, may ask for it as soon as it runs.
  plan_.again = true;
  Record(key, request, std::move(start));
}

std::optional<Blocker> RoundBooks::TryStart(const Trial& trial) {
  const GroupKey& key = trial.group.key;
  if (StartOnOpenDevice(trial)) {
    return std::nullopt;
  }
  Grant grant{.nodes = key.gang.nodes, .funding = Funding::kNone, .owned_claim = true};
  if (trial.device_class) {
    if (auto blocker = quota_.Admit(key, trial.device_class, trial.phase, grant)) {
      plan_.again = plan_.again || MayOwnNext(trial);
      return blocker;
    }
  }
  PlaceRequest request = MakeRequest(key, trial.device_class, grant);
  PlaceMemo::Finding* found = &memo_.Find(free_, request, trial.group.shape);
  if (!found->members.has_value()) {
    return found->why;
  }
  if (auto blocker = LabelAndLend(trial, *found->members, grant)) {
    // An elastic gang leaves to the owners what they keep.
    grant.nodes = NodesWithin(key.gang, *blocker);
    if (grant.nodes < key.gang.least_nodes()) {
      return blocker;
    }
    request.nodes = grant.nodes;
    found = &memo_.Find(free_, request, trial.group.shape);
    if (!found->members.has_value()) {
      return found->why;
    }
    if ((blocker = LabelAndLend(trial, *found->members, grant)).has_value()) {
      return blocker;
    }
  }
  request.funding = grant.funding;
  if (auto blocker = CheckBlocks(free_, request, *found->members)) {
    return blocker;
  }
  if (auto blocker = AskGuard(trial, request, *found->members, found->delays_anchor)) {
    return blocker;
  }
  // Others of its project may share the device that it opens.
  plan_.again = plan_.again || key.gang.device_share_milli > 0;
  Record(key, request, {trial.job, trial.device_class, request.funding, *found->members});
  return std::nullopt;
}

bool RoundBooks::MayOwnNext(const Trial& trial) const {
  const auto yields = [&](const RoundStart& start) {
    const JobSpec& spec = cluster_.GetJob(start.job).spec;
    return start.device_class == trial.device_class && start.funding == Funding::kOwned &&
           spec.tenant == trial.group.key.tenant && spec.preemptible && spec.may_borrow;
  };
  return trial.phase == Phase::kBorrow && trial.group.key.must_own() &&
         std::any_of(round_starts_.begin(), round_starts_.end(), yields);
}

bool RoundBooks::StartOnOpenDevice(const Trial& trial) {
  const GroupKey& key = trial.group.key;
  if (key.gang.device_share_milli == 0) {
    return false;
  }
  for (const Funding funding : {Funding::kOwned, Funding::kBorrowed}) {
    // Beyond the entitlement nothing is an owned claim (A3), not even what takes no more of it.
    const bool in_turn =
        trial.phase == Phase::kBorrow ||
        (funding == Funding::kOwned && quota_.OwnedRoom(key.tenant, trial.device_class) >= 0);
    if (!in_turn || (funding == Funding::kBorrowed && !key.may_borrow)) {
      continue;
    }
    PlaceRequest request =
        MakeRequest(key, trial.device_class, {.nodes = key.gang.nodes, .funding = funding});
    request.open_device = true;
    if (!free_.FitsOpenDevice(request)) {
      continue;
    }
    Blocker ignored;
    auto members = free_.Place(request, ignored);
    bool delays = false;
    if (members.has_value() && !AskGuard(trial, request, *members, delays).has_value()) {
      Take(key, request, {trial.job, trial.device_class, funding, *std::move(members)});
      return true;
    }
  }
  return false;
}

std::optional<Blocker> RoundBooks::LabelAndLend(const Trial& trial,
                                                const std::vector<Placement>& members,
                                                Grant& grant) const {
  if (!trial.device_class) {
    return std::nullopt;
  }
  const TenantId tenant = trial.group.key.tenant;
  const int64_t devices = DevicesOf(members);
  quota_.Label(trial.group.key, trial.device_class, devices, grant);
  return grant.owned_claim ? std::nullopt
                           : quota_.CheckLendable(tenant, trial.device_class, devices,
                                                  free_.FreeCount(trial.device_class));
}

std::optional<Blocker> RoundBooks::AskGuard(const Trial& trial, const PlaceRequest& request,
                                            std::vector<Placement>& members, bool& delays) {
  Guard* const found = GuardOf(trial.device_class);
  // An owned claim that is anchored may still start as a borrower.
  if (found == nullptr || found->anchor().job == trial.job) {
    return std::nullopt;
  }
  Guard& guard = *found;
  const Anchor& anchor = guard.anchor();
  // A borrower that can be recalled in time does not delay an owned claim.
  const absl::Duration notice = absl::Milliseconds(trial.group.key.grace_ms) + policy_.kill_timeout;
  const bool borrows = request.funding == Funding::kBorrowed;
  if (LeavesQuotaThen(guard, request, request.open_device ? 0 : DevicesOf(members))) {
    const absl::Time allowed = now_ + policy_.reclaim_min_run;
    if (borrows && guard.TryLend(allowed, notice)) {
      LookAgainAt(guard.ask_at());
      return std::nullopt;
    }
    const bool late = request.end > anchor.shadow;
    const auto leaves =
        late && delays ? Guard::Leaves::kTooFewPlaces : TakeFrom(guard, trial, request, members);
    if (leaves == Guard::Leaves::kEnough) {
      if (late && borrows) {
        guard.NoteBorrowed(allowed, notice);
      }
      return std::nullopt;
    }
    // Its quota is each tenant's own matter.
    delays = leaves == Guard::Leaves::kTooFewPlaces;
  }
  guard.NoteRefusal();
  return Blocker{.code = ReasonCode::kBehindAnchor,
                 .device_class = trial.device_class,
                 .job = anchor.job,
                 .until = anchor.shadow};
}

Guard::Leaves RoundBooks::TakeFrom(Guard& guard, const Trial& trial, PlaceRequest request,
                                   std::vector<Placement>& members) {
  const Guard::Leaves these = guard.TryTake(request, members, request.end);
  if (these == Guard::Leaves::kEnough || request.open_device) {
    return these;
  }
  auto beside = beside_.find(trial.device_class);
  if (beside == beside_.end()) {
    beside = beside_.emplace(trial.device_class, Beside{free_, PlaceMemo()}).first;
    beside->second.free.Keep(guard.anchor().members);
  }
  request.nodes = static_cast<int>(members.size());
  request.fixed = true;
  auto& [free, memo] = beside->second;
  const PlaceMemo::Finding& found = memo.Find(free, request, trial.group.shape);
  if (!found.members.has_value() || CheckBlocks(free_, request, *found.members).has_value()) {
    return these;
  }
  const Guard::Leaves others = guard.TryTake(request, *found.members, request.end);
  if (others != Guard::Leaves::kEnough) {
    return std::max(these, others);
  }
  members = *found.members;
  return others;
}

bool RoundBooks::LeavesQuotaThen(const Guard& guard, const PlaceRequest& request, int64_t devices) {
  if (LeavesQuota(guard, request, devices)) {
    return true;
  }
  // Until then the anchor waits for its quota, and the class has room for another anchor.
  const bool over = request.end <= guard.anchor().shadow;
  plan_.again = plan_.again || over;
  return over;
}

bool RoundBooks::LeavesQuota(const Guard& guard, const PlaceRequest& request,
                             int64_t devices) const {
  const PlaceRequest& anchored = guard.request();
  if (request.tenant != anchored.tenant || !request.device_class) {
    return true;
  }
  const QuotaView::Position& position = quota_.Of(request.tenant, request.device_class);
  const int64_t after = position.use.used() + devices + anchored.gang.least_devices();
  const int64_t limit = position.limits.limit.value_or(after);
  const int64_t bound = guard.recalls_borrowed() ? std::min(position.share, limit) : limit;
  return after <= bound;
}

void RoundBooks::ForgetPlaces() {
  memo_.Invalidate();
  beside_.clear();
}

void RoundBooks::Record(const GroupKey& key, const PlaceRequest& request, Start start) {
  if (start.device_class) {
    const int64_t devices = DevicesOf(start.members);
    start.relabelled = quota_.TakeLabels(key, start.device_class, devices);
    // Owners may ask for what lost its label.
    plan_.again = plan_.again || !start.relabelled.empty();
    quota_.Charge(key, start.device_class, devices, start.funding);
  }
  Take(key, request, std::move(start));
}

void RoundBooks::Take(const GroupKey& key, const PlaceRequest& request, Start start) {
  free_.Take(request, start.members);
  ForgetPlaces();
  for (auto& [device_class, reclaimer] : reclaimers_) {
    reclaimer.Take(request, start.members);
  }
  round_starts_.push_back(
      {start.job, key.gang, start.device_class, start.funding, start.members, request.end});
  plan_.starts.push_back(std::move(start));
}

Plan RoundBooks::TakePlan() {
  for (const auto& [device_class, anchor] : scope_.kept_anchors()) {
    if (!guards_.contains(device_class)) {
      plan_.anchors.push_back(*anchor);
    }
  }
  plan_.whole = scope_.IsWhole();
  // One that was cut short goes on with the next, which also finds what a lapsed claim kept.
  plan_.again = plan_.again || IsFull() || !plan_.lapsed.empty() || MayFindMore();
  return std::move(plan_);
}

}  // namespace berth
