#include "scheduler/core/reclaim.h"

#include <algorithm>
#include <set>
#include <tuple>

namespace berth {
namespace {

// Up to so many units are searched exactly for the cheapest sufficient set (R4).
constexpr size_t kExactMax = 16;

absl::Duration LostWork(const Job& job, absl::Time now) {
  const absl::Time since = std::max(job.attempt.started_at, job.attempt.checkpoint_at);
  return since == absl::InfinitePast() ? absl::ZeroDuration() : std::max(now - since, {});
}

}  // namespace

// The claim's view of the class while more and more is given back.
class Reclaimer::Trial {
 public:
  Trial(const Reclaimer& reclaimer, const ReclaimRequest& request)
      : reclaimer_(reclaimer), request_(request), view_(*reclaimer.base_) {}

  void Give(size_t unit) { Move(unit, true); }
  void Take(size_t unit) { Move(unit, false); }
  bool Fits() const {
    return freed_ >= request_.devices_at_least && FitsWithBlocks(view_, request_.place);
  }
  std::optional<std::vector<Placement>> Place() const {
    Blocker ignored;
    return view_.Place(request_.place, ignored);
  }
  int64_t freed() const { return freed_; }

 private:
  void Move(size_t index, bool give) {
    const GiveBack& unit = reclaimer_.units_[index];
    freed_ += give ? unit.devices : -unit.devices;
    for (AllocationId id : unit.allocations) {
      const Allocation& allocation = reclaimer_.cluster_.GetAllocation(id);
      if (give) {
        view_.Give(allocation);
      } else {
        view_.TakeBack(allocation);
      }
    }
  }

  const Reclaimer& reclaimer_;
  const ReclaimRequest& request_;
  FreeView view_;
  int64_t freed_ = 0;
};

Reclaimer::Reclaimer(const Cluster& cluster, const Policy& policy, ClassId device_class,
                     const FreeView& view, absl::Time now)
    : cluster_(cluster), policy_(policy), device_class_(device_class), now_(now), round_(view) {
  for (const auto& [tenant, record] : cluster.quota().tenants()) {
    borrowed_ += cluster.quota().Use({tenant, ProjectId(), device_class}).borrowed;
  }
  // What is being given back already, or ends by itself within the notice that a reclaim would
  // need.
  const absl::Time soon = now + cluster.LongestGrace(device_class) + policy.kill_timeout;
  for (const auto& [end, id] : cluster.EndsOf(device_class)) {
    if (end > soon) {
      next_look_ = std::min(next_look_, now + (end - soon));
      break;
    }
    const Job& job = cluster.GetJob(id);
    const absl::Time expected = end - job.spec.grace - policy.kill_timeout;
    const bool runs = job.state == JobState::kRunning;
    if (job.state == JobState::kStopping || (runs && expected <= now)) {
      Expect(job);
    } else if (runs) {
      next_look_ = std::min(next_look_, expected);
    }
  }
  for (AllocationId id : cluster.ReturningOf(device_class)) {
    ExpectMember(id);
  }
}

bool Reclaimer::HasRings() {
  if (!has_rings_.has_value()) {
    has_rings_ = false;
    for (const NodeSet& nodes : cluster_.free_index().OfClass(device_class_).known.by_count()) {
      *has_rings_ = *has_rings_ || !nodes.ForEach(nullptr, [this](NodeId node) {
        return cluster_.free_index().Site(node).rings.size() <= 1;
      });
    }
  }
  return *has_rings_;
}

bool Reclaimer::Covers(const Failure& failure, const ReclaimRequest& request) {
  const auto& [key, scope, devices_at_least, from_project] = failure;
  const GangShape& less = key->gang;
  const GangShape& more = request.key.gang;
  const bool same_place =
      !less.topology_required || (more.topology_required && more.topology == less.topology);
  const bool same_nodes =
      (less.node_labels.empty() || less.node_labels == more.node_labels) &&
      (less.excluded_nodes.empty() || less.excluded_nodes == more.excluded_nodes) &&
      (key->suspect_nodes.empty() || key->suspect_nodes == request.key.suspect_nodes);
  const bool same_askers =
      scope == ReclaimScope::kBorrowers ||
      (key->tenant == request.key.tenant && request.key.priority <= key->priority &&
       from_project == request.from_project);
  return scope == request.scope && same_askers && same_place && same_nodes &&
         more.least_nodes() >= less.least_nodes() &&
         more.devices_per_node >= less.devices_per_node && more.device_share_milli == 0 &&
         less.per_node.Fits(more.per_node) && request.devices_at_least >= devices_at_least &&
         // What one ring has must stand in one, more may span rings.
         (more.devices_per_node == less.devices_per_node || !HasRings());
}

// Only what could be asked and what is free count; what failed fails again, as a round only gives
// away.
bool Reclaimer::IsHopeless(const ReclaimRequest& request) {
  const GangShape& gang = request.key.gang;
  if (std::any_of(failed_.begin(), failed_.end(),
                  [&](const Failure& failure) { return Covers(failure, request); })) {
    return true;
  }
  if (request.scope != ReclaimScope::kBorrowers) {
    return false;
  }
  const int64_t free = base_.has_value() ? base_->FreeCount(device_class_)
                                         : round_.FreeCount(device_class_) + expected_devices_;
  if (free + borrowed_ < gang.least_devices()) {
    return true;
  }
  // A node may be free enough as soon as everything that is lent on it comes back, or because of
  // what is expected.
  const CountIndex& claimable = cluster_.free_index().OfClass(device_class_).claimable;
  return gang.device_share_milli == 0 &&
         claimable.NodesWith(gang.devices_per_node) + static_cast<int>(expected_.size()) <
             gang.least_nodes();
}

void Reclaimer::NoteFailure(const ReclaimRequest& request) {
  if (request.key.gang.device_share_milli == 0 && cluster_.bookings().empty() &&
      !round_.MayBreakBlocks(request.place) && policy_.reclaim_min_run == absl::ZeroDuration()) {
    failed_.push_back(
        {&request.key, request.scope, request.devices_at_least, request.from_project});
  }
}

void Reclaimer::Expect(const Job& job) {
  for (AllocationId id : job.allocations) {
    if (cluster_.GetAllocation(id).state != AllocationState::kReleased) {
      ExpectMember(id);
    }
  }
  spent_[job.id] = cluster_.HeldDevices(job);
}

void Reclaimer::ExpectMember(AllocationId id) {
  const Allocation& allocation = cluster_.GetAllocation(id);
  if (!expected_.insert(id).second) {
    return;
  }
  expected_devices_ += static_cast<int64_t>(allocation.devices.size());
  if (base_.has_value()) {
    base_->Give(allocation);
  }
}

FreeView& Reclaimer::Base() {
  if (!base_.has_value()) {
    base_ = round_;
    for (AllocationId id : expected_) {
      base_->Give(cluster_.GetAllocation(id));
    }
  }
  return *base_;
}

void Reclaimer::ExpectEndsBy(absl::Time time) {
  failed_.clear();
  candidates_scope_.reset();
  for (JobId id : cluster_.HoldersOf(device_class_)) {
    const Job& job = cluster_.GetJob(id);
    if (job.state == JobState::kRunning && !spent_.contains(id) &&
        job.attempt.started_at + job.spec.time_limit <= time) {
      Expect(job);
    }
  }
}

void Reclaimer::Take(const PlaceRequest& request, const std::vector<Placement>& members) {
  if (base_.has_value()) {
    base_->Take(request, members);
  }
}

bool Reclaimer::MayBeAsked(const Job& job, const ReclaimRequest& request) {
  const bool live = job.state == JobState::kRunning || job.state == JobState::kStarting ||
                    job.state == JobState::kDispatching;
  if (!live || !job.spec.preemptible || spent_.contains(job.id)) {
    return false;
  }
  if (request.scope == ReclaimScope::kLowerPriority) {
    return job.spec.priority < request.key.priority &&
           (!request.from_project || job.spec.project == request.from_project);
  }
  const absl::Time allowed = job.attempt.created_at + policy_.reclaim_min_run;
  if (job.spec.tenant != request.key.tenant && allowed > now_) {
    next_look_ = std::min(next_look_, allowed);
    return false;
  }
  return true;
}

void Reclaimer::AddUnits(const Job& job, Candidates& candidates) {
  const absl::Duration lost = LostWork(job, now_);
  GiveBack rest{
      .job = job.id,
      .tenant = job.spec.tenant,
      .allocations = {      },
      .whole = true,
      .rank = { job.spec.priority, lost, now_ - job.attempt.created_at, job.id}
  };
  std::vector<const Allocation*> members;
  for (AllocationId id : job.allocations) {
    const Allocation& allocation = cluster_.GetAllocation(id);
    if (allocation.state != AllocationState::kReleased &&
        allocation.state != AllocationState::kReleasing) {
      members.push_back(&allocation);
    }
  }
  size_t kept = members.size();
  if (job.spec.gang.is_elastic() && job.state == JobState::kRunning) {
    for (; kept > static_cast<size_t>(job.spec.gang.least_nodes()); --kept) {
      const Allocation& member = *members[kept - 1];
      units_.push_back({.job = job.id,
                        .tenant = job.spec.tenant,
                        .allocations = {member.id},
                        .devices = static_cast<int64_t>(member.devices.size()),
                        .lost_device_seconds = 0,
                        .whole = false,
                        .rank = rest.rank,
                        .after = rest.after});
      rest.after = units_.size() - 1;
      candidates.shrinks[job.spec.tenant].push_back(units_.size() - 1);
    }
  }
  for (size_t i = 0; i < kept; ++i) {
    rest.allocations.push_back(members[i]->id);
    rest.devices += static_cast<int64_t>(members[i]->devices.size());
  }
  rest.lost_device_seconds = absl::ToInt64Seconds(lost) * cluster_.HeldDevices(job);
  units_.push_back(std::move(rest));
  candidates.wholes[job.spec.tenant].push_back(units_.size() - 1);
}

const Reclaimer::Candidates& Reclaimer::FindCandidates(const ReclaimRequest& request) {
  // Every owner may ask the same borrowers, as soon as they may be asked at all.
  const bool known = request.scope == ReclaimScope::kBorrowers &&
                     candidates_scope_ == ReclaimScope::kBorrowers &&
                     policy_.reclaim_min_run == absl::ZeroDuration();
  if (!known) {
    candidates_ = ListCandidates(request);
    candidates_scope_ = request.scope;
  }
  return candidates_;
}

Reclaimer::Candidates Reclaimer::ListCandidates(const ReclaimRequest& request) {
  Candidates candidates;
  const auto add = [&](TenantId tenant, Funding funding) {
    for (JobId id : cluster_.Labelled(tenant, device_class_, funding)) {
      const Job& job = cluster_.GetJob(id);
      if (MayBeAsked(job, request)) {
        AddUnits(job, candidates);
        ++candidates.gangs;
      }
    }
  };
  units_.clear();
  if (request.scope == ReclaimScope::kLowerPriority) {
    add(request.key.tenant, Funding::kOwned);
    add(request.key.tenant, Funding::kBorrowed);
  } else {
    for (const auto& [tenant, record] : cluster_.quota().tenants()) {
      add(tenant, Funding::kBorrowed);
    }
  }
  for (auto* by_tenant : {&candidates.shrinks, &candidates.wholes}) {
    for (auto& [tenant, units] : *by_tenant) {
      // Members of one gang from the last rank.
      std::sort(units.begin(), units.end(), [this](size_t a, size_t b) {
        return std::tie(units_[a].rank, a) < std::tie(units_[b].rank, b);
      });
    }
  }
  return candidates;
}

Reclaimer::Excess Reclaimer::ExcessOf(TenantId tenant) const {
  const QuotaKey key{tenant, ProjectId(), device_class_};
  const QuotaLimits limits = cluster_.quota().Limits(key);
  const auto given = given_.find(tenant);
  const int64_t used =
      cluster_.quota().Use(key).used() - (given == given_.end() ? 0 : given->second);
  return {std::max<int64_t>(used - limits.entitlement, 0),
          std::max<int64_t>(limits.weight.value_or(limits.entitlement), 1)};
}

std::optional<Reclaimer::Units> Reclaimer::Greedy(const Candidates& candidates, TenantId claimant,
                                                  Trial& trial) const {
  Units chosen;
  if (trial.Fits()) {
    return chosen;
  }
  for (const auto* by_tenant : {&candidates.shrinks, &candidates.wholes}) {
    struct Line {
      TenantId tenant;
      Excess excess;
      Units::const_iterator next;
      Units::const_iterator end;
    };
    std::vector<Line> lines;
    for (const auto& [tenant, units] : *by_tenant) {
      lines.push_back({tenant, ExcessOf(tenant), units.begin(), units.end()});
    }
    while (!lines.empty()) {
      // The claimant's own borrowed gangs first (R2), then the largest excess, then the id (R3).
      const auto line =
          std::min_element(lines.begin(), lines.end(), [claimant](const Line& a, const Line& b) {
            const auto key = [claimant](const Line& l) { return l.tenant != claimant; };
            const auto x = static_cast<__int128>(a.excess.excess) * b.excess.weight;
            const auto y = static_cast<__int128>(b.excess.excess) * a.excess.weight;
            return std::tuple(key(a), -x, a.tenant) < std::tuple(key(b), -y, b.tenant);
          });
      const size_t unit = *line->next;
      chosen.push_back(unit);
      trial.Give(unit);
      if (trial.Fits()) {
        return chosen;
      }
      line->excess.excess = std::max<int64_t>(line->excess.excess - units_[unit].devices, 0);
      if (++line->next == line->end) {
        lines.erase(line);
      }
    }
  }
  return std::nullopt;
}

// Leaves out, last chosen first, whatever the claim can do without.
void Reclaimer::Prune(Units& chosen, Trial& trial) const {
  std::set<size_t> needed_by_others;
  for (size_t i = chosen.size(); i-- > 0;) {
    const size_t unit = chosen[i];
    if (!needed_by_others.contains(unit)) {
      trial.Take(unit);
      if (trial.Fits()) {
        chosen.erase(chosen.begin() + static_cast<std::ptrdiff_t>(i));
        continue;
      }
      trial.Give(unit);
    }
    if (units_[unit].after.has_value()) {
      needed_by_others.insert(*units_[unit].after);
    }
  }
}

std::pair<int64_t, size_t> Reclaimer::CostOf(const Units& units) const {
  int64_t lost = 0;
  for (size_t unit : units) {
    lost += units_[unit].lost_device_seconds;
  }
  return {lost, units.size()};
}

// The cheapest sufficient subset of what the greedy choice went through: fewest lost
// device-seconds, fewest units, first ones.
Reclaimer::Units Reclaimer::BestSubset(const Units& prefix, Units best,
                                       const ReclaimRequest& request) const {
  auto best_cost = CostOf(best);
  Trial trial(*this, request);
  for (size_t unit : prefix) {
    trial.Give(unit);
  }
  // Depth first: every unit of the prefix is left out, or kept; what is left must always do.
  Units kept;
  const auto search = [&](const auto& self, size_t at) -> void {
    if (CostOf(kept) >= best_cost) {
      return;
    }
    if (at == prefix.size()) {
      best = kept;
      best_cost = CostOf(kept);
      return;
    }
    const size_t unit = prefix[at];
    trial.Take(unit);
    if (trial.Fits()) {
      self(self, at + 1);
    }
    trial.Give(unit);
    const std::optional<size_t>& after = units_[unit].after;
    if (!after.has_value() || std::count(kept.begin(), kept.end(), *after) > 0) {
      kept.push_back(unit);
      self(self, at + 1);
      kept.pop_back();
    }
  };
  search(search, 0);
  return best;
}

// One row a gang: what it gives back, or would have.
std::vector<ReclaimCandidate> Reclaimer::Rows(const Units& asked, const Units& chosen) const {
  const std::set<size_t> taken(chosen.begin(), chosen.end());
  std::vector<ReclaimCandidate> rows;
  std::map<JobId, size_t> row_of;
  for (size_t index : asked) {
    const GiveBack& unit = units_[index];
    const Job& job = cluster_.GetJob(unit.job);
    const bool is_taken = taken.contains(index);
    if (!is_taken && rows.size() >= Reclaim::kCandidatesMax) {
      continue;
    }
    const auto [row, added] = row_of.emplace(unit.job, rows.size());
    if (added) {
      const Excess excess = ExcessOf(unit.tenant);
      rows.push_back({.job = unit.job,
                      .attempt = job.attempt.number,
                      .tenant = unit.tenant,
                      .tenant_excess = excess.excess,
                      .tenant_weight = excess.weight,
                      .priority = job.spec.priority,
                      .lost_work = LostWork(job, now_),
                      .started_at = job.attempt.started_at,
                      .notice = job.spec.grace});
    }
    ReclaimCandidate& candidate = rows[row->second];
    if (is_taken && !candidate.chosen) {
      candidate.chosen = true;
      candidate.devices = 0;
      candidate.members = 0;
    }
    if (is_taken == candidate.chosen) {
      candidate.devices += unit.devices;
      candidate.members += static_cast<int>(unit.allocations.size());
      candidate.shrink = !unit.whole;
    }
  }
  return rows;
}

Reclaim Reclaimer::Certify(const ReclaimRequest& request, const Units& asked,
                           const Units& chosen) const {
  const QuotaKey key{request.key.tenant, ProjectId(), device_class_};
  Reclaim certificate;
  certificate.at = now_;
  certificate.due = now_;
  certificate.claim = request.job;
  certificate.tenant = request.key.tenant;
  certificate.device_class = device_class_;
  certificate.within_tenant = request.scope == ReclaimScope::kLowerPriority;
  certificate.devices_per_node = request.key.gang.devices_per_node;
  certificate.entitlement = cluster_.quota().Limits(key).entitlement;
  certificate.used = cluster_.quota().Use(key).used();
  certificate.free_devices = base_->FreeCount(device_class_);
  certificate.candidates = Rows(asked, chosen);
  for (size_t index : chosen) {
    const GiveBack& unit = units_[index];
    certificate.lost_device_seconds += unit.lost_device_seconds;
    certificate.due = std::max(certificate.due,
                               now_ + cluster_.GetJob(unit.job).spec.grace + policy_.kill_timeout);
  }
  return certificate;
}

std::optional<Recall> Reclaimer::Find(const ReclaimRequest& request) {
  if (IsHopeless(request)) {
    return std::nullopt;
  }
  Base();
  const Candidates& candidates = FindCandidates(request);
  Trial trial(*this, request);
  std::optional<Units> prefix = Greedy(candidates, request.key.tenant, trial);
  if (!prefix.has_value()) {
    NoteFailure(request);
    return std::nullopt;
  }
  Units chosen = *prefix;
  Prune(chosen, trial);
  if (prefix->size() <= kExactMax) {
    Units better = BestSubset(*prefix, chosen, request);
    for (size_t unit : chosen) {
      trial.Take(unit);
    }
    chosen = std::move(better);
    for (size_t unit : chosen) {
      trial.Give(unit);
    }
  }
  std::optional<std::vector<Placement>> members = trial.Place();
  if (!members.has_value()) {
    return std::nullopt;  // devices are there, but no node that has the rest
  }
  Recall recall{
      {request.job, device_class_, request.place.funding, *std::move(members)},
      Certify(request, *prefix, chosen)
  };
  recall.certificate.nodes = static_cast<int>(recall.claim.members.size());
  recall.certificate.candidate_count = candidates.gangs;
  found_ = std::move(chosen);
  return recall;
}

void Reclaimer::Accept(const PlaceRequest& request, const Recall& recall) {
  candidates_scope_.reset();
  for (size_t index : found_) {
    const GiveBack& unit = units_[index];
    spent_[unit.job] += unit.devices;
    given_[unit.tenant] += unit.devices;
    const int64_t free = base_->FreeCount(device_class_);
    for (AllocationId id : unit.allocations) {
      base_->Give(cluster_.GetAllocation(id));
    }
    // A shared device with its last share.
    const bool lent = cluster_.GetJob(unit.job).attempt.funding == Funding::kBorrowed;
    borrowed_ -= lent ? base_->FreeCount(device_class_) - free : 0;
  }
  base_->Take(request, recall.claim.members);
  // A claim of a share keeps the device for itself until it starts.
  base_->Keep(recall.claim.members);
}

}  // namespace berth
