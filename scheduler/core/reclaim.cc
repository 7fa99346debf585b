#include "scheduler/core/reclaim.h"

#include <algorithm>
#include <set>
#include <tuple>

namespace berth {
namespace {

// Up to so many units are searched exactly for the cheapest sufficient set (R4).
constexpr size_t kExactMax = 16;

}  // namespace

// The claim's view of the class while more and more is given back. It is laid into the reclaimer's
// base, which is at the end what it was: a copy would be made anew for every claim.
class Reclaimer::Trial {
 public:
  Trial(Reclaimer& reclaimer, const ReclaimRequest& request)
      : reclaimer_(reclaimer), request_(request), view_(reclaimer.Base()) {}
  ~Trial() { view_.PutBack(std::move(before_)); }
  Trial(const Trial&) = delete;
  Trial& operator=(const Trial&) = delete;

  void Give(size_t unit) { Move(unit, true); }
  void Take(size_t unit) { Move(unit, false); }
  bool Fits() const {
    return freed_ >= request_.devices_at_least && FitsWithBlocks(view_, request_.place);
  }
  std::optional<std::vector<Placement>> Place() const {
    Blocker ignored;
    return view_.Place(request_.place, ignored);
  }

 private:
  void Move(size_t index, bool give) {
    const GiveBack& unit = reclaimer_.Unit(index);
    freed_ += give ? unit.devices : -unit.devices;
    for (AllocationId id : unit.allocations) {
      const Allocation& allocation = reclaimer_.cluster_.GetAllocation(id);
      if (touched_.insert(allocation.node).second) {
        before_.emplace_back(allocation.node, view_.Load(allocation.node));
      }
      if (give) {
        view_.Give(allocation);
      } else {
        view_.TakeBack(allocation, Cluster::OwnerOf(reclaimer_.cluster_.GetJob(allocation.job)));
      }
    }
  }

  const Reclaimer& reclaimer_;
  const ReclaimRequest& request_;
  FreeView& view_;
  std::vector<std::pair<NodeId, NodeLoad>> before_;
  absl::flat_hash_set<NodeId> touched_;
  int64_t freed_ = 0;
};

Reclaimer::Reclaimer(const Cluster& cluster, const Policy& policy, ClassId device_class,
                     const FreeView& view, absl::Time now)
    : cluster_(cluster), policy_(policy), device_class_(device_class), now_(now), round_(view) {
  for (const auto& [tenant, record] : cluster.quota().tenants()) {
    borrowed_ += cluster.quota().Use({tenant, ProjectId(), device_class}).borrowed;
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
  CountExpected();
  const int64_t free = base_.has_value() ? base_->FreeCount(device_class_)
                                         : round_.FreeCount(device_class_) + expected_devices_;
  if (free + borrowed_ < gang.least_devices()) {
    return true;
  }
  // A node may be free enough as soon as everything that is lent on it comes back, or because of
  // what is expected.
  const CountIndex& claimable = cluster_.free_index().OfClass(device_class_).claimable;
  return gang.device_share_milli == 0 &&
         claimable.NodesWith(gang.devices_per_node) + expected_members_ < gang.least_nodes();
}

void Reclaimer::NoteFailure(const ReclaimRequest& request) {
  const bool may_ask_all = request.back_by == absl::InfiniteFuture();
  if (may_ask_all && request.key.gang.device_share_milli == 0 && cluster_.bookings().empty() &&
      !round_.MayBreakBlocks(request.place) && policy_.reclaim_min_run == absl::ZeroDuration()) {
    failed_.push_back(
        {&request.key, request.scope, request.devices_at_least, request.from_project});
  }
}

void Reclaimer::Take(const PlaceRequest& request, const std::vector<Placement>& members) {
  if (base_.has_value()) {
    base_->Take(request, members);
  }
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
      line->excess.excess = std::max<int64_t>(line->excess.excess - Unit(unit).devices, 0);
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
    if (Unit(unit).after.has_value()) {
      needed_by_others.insert(*Unit(unit).after);
    }
  }
}

std::pair<int64_t, size_t> Reclaimer::CostOf(const Units& units) const {
  int64_t lost = 0;
  for (size_t unit : units) {
    lost += Unit(unit).lost_device_seconds;
  }
  return {lost, units.size()};
}

bool Reclaimer::NeedsLast(const ReclaimRequest& request) const {
  return request.key.gang.device_share_milli == 0 && !request.key.gang.topology_required &&
         !base_->MayBreakBlocks(request.place);
}

// The cheapest sufficient subset of what the greedy choice went through: fewest lost
// device-seconds, fewest units, first ones. `trial` has `best` given, and then what is returned.
// `needed`: a unit that no sufficient subset lacks, if one is known.
Reclaimer::Units Reclaimer::BestSubset(const Units& prefix, Units best,
                                       std::optional<size_t> needed, Trial& trial) const {
  auto best_cost = CostOf(best);
  const auto least_cost = [&](const Units& kept) {
    auto cost = CostOf(kept);
    if (needed.has_value() && std::count(kept.begin(), kept.end(), *needed) == 0) {
      cost.first += Unit(*needed).lost_device_seconds;
      ++cost.second;
    }
    return cost;
  };
  if (least_cost({}) >= best_cost) {
    return best;
  }
  for (size_t unit : prefix) {
    if (std::find(best.begin(), best.end(), unit) == best.end()) {
      trial.Give(unit);
    }
  }
  // Depth first: every unit of the prefix is left out, or kept; what is left must always do.
  Units kept;
  const auto search = [&](const auto& self, size_t at) -> void {
    if (least_cost(kept) >= best_cost) {
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
    const std::optional<size_t>& after = Unit(unit).after;
    if (!after.has_value() || std::count(kept.begin(), kept.end(), *after) > 0) {
      kept.push_back(unit);
      self(self, at + 1);
      kept.pop_back();
    }
  };
  search(search, 0);
  for (size_t unit : prefix) {
    if (std::find(best.begin(), best.end(), unit) == best.end()) {
      trial.Take(unit);
    }
  }
  return best;
}

std::optional<Recall> Reclaimer::Find(const ReclaimRequest& request) {
  if (IsHopeless(request)) {
    return std::nullopt;
  }
  const Candidates& candidates = FindCandidates(request);
  // Whatever ends by itself: it must come from them.
  if (candidates.devices < request.devices_at_least) {
    CountExpected();  // says when to look again, also for whoever comes after
    NoteFailure(request);
    return std::nullopt;
  }
  std::optional<Choice> choice = Choose(candidates, request);
  if (!choice.has_value()) {
    NoteFailure(request);
    return std::nullopt;
  }
  if (!choice->members.has_value()) {
    return std::nullopt;  // devices are there, but no node that has the rest
  }
  Recall recall{
      {.job = request.job,
       .device_class = device_class_,
       .funding = request.place.funding,
       .members = *std::move(choice->members),
       .host = request.key.gang.per_node},
      Certify(request, choice->prefix, choice->units)
  };
  recall.certificate.nodes = static_cast<int>(recall.claim.members.size());
  recall.certificate.candidate_count = candidates.gangs;
  found_ = std::move(choice->units);
  return recall;
}

std::optional<Reclaimer::Choice> Reclaimer::Choose(const Candidates& candidates,
                                                   const ReclaimRequest& request) {
  Trial trial(*this, request);
  std::optional<Units> prefix = Greedy(candidates, request.key.tenant, trial);
  if (!prefix.has_value()) {
    return std::nullopt;
  }
  Units chosen = *prefix;
  Prune(chosen, trial);
  if (prefix->size() <= kExactMax) {
    // Without its last unit the greedy choice was not enough, nor is any part of it.
    const bool needs_last = !prefix->empty() && NeedsLast(request);
    chosen = BestSubset(*prefix, std::move(chosen),
                        needs_last ? std::optional<size_t>(prefix->back()) : std::nullopt, trial);
  }
  return Choice{*std::move(prefix), std::move(chosen), trial.Place()};
}

void Reclaimer::Accept(const PlaceRequest& request, const Recall& recall) {
  for (size_t index : found_) {
    const GiveBack& unit = Unit(index);
    spent_.insert(unit.job);
    given_[unit.tenant] += unit.devices;
    const int64_t free = base_->FreeCount(device_class_);
    for (AllocationId id : unit.allocations) {
      base_->Give(cluster_.GetAllocation(id));
    }
    // A shared device with its last share.
    const bool lent = cluster_.GetJob(unit.job).attempt.funding == Funding::kBorrowed;
    borrowed_ -= lent ? base_->FreeCount(device_class_) - free : 0;
  }
  ForgetCandidates();
  base_->Take(request, recall.claim.members);
  // A claim of a share keeps the device for itself until it starts.
  base_->Keep(recall.claim.members);
}

}  // namespace berth
