#include "scheduler/core/planner.h"

#include <algorithm>
#include <optional>
#include <set>
#include <utility>

#include "scheduler/core/admission.h"
#include "scheduler/core/placement.h"
#include "scheduler/core/queue_order.h"

namespace berth {
namespace {

enum class Phase { kOwned, kBorrow };

// The state of one round: the cluster, and what this round has already given away.
class Round {
 public:
  Round(const Cluster& cluster, const Policy& policy)
      : cluster_(cluster), policy_(policy), free_(cluster) {}

  Plan Run() {
    for (const Phase phase : {Phase::kOwned, Phase::kBorrow}) {
      for (const auto& [device_class, tenants] : cluster_.queues()) {
        RunPhase(phase, device_class, tenants);
      }
    }
    plan_.blockers.assign(blockers_.begin(), blockers_.end());
    return std::move(plan_);
  }

 private:
  // A tenant's place in the line of one class and phase.
  struct Turn {
    Share share;
    TenantId tenant;
    TenantQueue::const_iterator next_group;
    friend bool operator<(const Turn& a, const Turn& b) {
      if (a.share < b.share || b.share < a.share) {
        return a.share < b.share;
      }
      return a.tenant < b.tenant;
    }
  };

  bool Full() const {
    return static_cast<int>(plan_.starts.size()) >= policy_.starts_per_round_max;
  }

  void RunPhase(Phase phase, ClassId device_class, const std::map<TenantId, TenantQueue>& tenants) {
    std::set<Turn> line;
    for (const auto& [tenant, groups] : tenants) {
      line.insert({ShareOf(phase, tenant, device_class), tenant, groups.begin()});
    }
    while (!line.empty() && !Full()) {
      Turn turn = line.extract(line.begin()).value();
      const TenantQueue& groups = tenants.at(turn.tenant);
      if (!StartNext(phase, turn.next_group->group)) {
        ++turn.next_group;
      }
      if (turn.next_group != groups.end()) {
        turn.share = ShareOf(phase, turn.tenant, device_class);
        line.insert(turn);
      }
    }
  }

  Share ShareOf(Phase phase, TenantId tenant, ClassId device_class) const {
    const QuotaKey key{tenant, ProjectId(), device_class};
    const QuotaLimits limits = cluster_.quota().Limits(key);
    const int64_t used = Use(key).used();
    return phase == Phase::kOwned ? OwnedShare(limits, used) : BorrowShare(limits, used);
  }

  // Starts the group's oldest job that is not started yet; false when the group is done for this
  // phase.
  bool StartNext(Phase phase, GroupId id) {
    const PendingGroup& group = cluster_.GetGroup(id);
    const auto cursor = cursors_.emplace(id, group.ready.begin()).first;
    if (cursor->second == group.ready.end() || hopeless_.contains(id)) {
      return false;
    }
    std::optional<Blocker> blocker = CheckTenant(group.key);
    if (blocker.has_value()) {
      hopeless_.insert(id);
    } else {
      blocker = TryClasses(phase, group.key, *cursor->second);
    }
    if (blocker.has_value()) {
      blockers_[id] = *blocker;
      return false;
    }
    blockers_.erase(id);
    ++cursor->second;
    return true;
  }

  std::optional<Blocker> CheckTenant(const GroupKey& key) const {
    const Tenant* tenant = cluster_.quota().FindTenant(key.tenant);
    if (!tenant->suspended) {
      return std::nullopt;
    }
    return Blocker{.code = ReasonCode::kTenantSuspended};
  }

  // Nothing if the job starts, else the reason of the first alternative.
  std::optional<Blocker> TryClasses(Phase phase, const GroupKey& key, JobId job) {
    std::optional<Blocker> first;
    for (ClassId device_class : ClassOrder(cluster_, key.tenant, key.gang)) {
      auto reason = TryClass(phase, key, device_class, job);
      if (!reason.has_value()) {
        return std::nullopt;
      }
      if (!first.has_value()) {
        first = std::move(reason);
      }
    }
    return first.has_value() ? first : Blocker{.code = ReasonCode::kNoNodes};
  }

  std::optional<Blocker> TryClass(Phase phase, const GroupKey& key, ClassId device_class,
                                  JobId job) {
    Funding funding = Funding::kOwned;
    if (device_class) {
      if (auto reason = CheckQuota(phase, key, device_class, funding); reason.has_value()) {
        return reason;
      }
    }
    Blocker reason;
    auto members = free_.Place(key.gang, device_class, reason);
    if (!members.has_value()) {
      return reason;
    }
    free_.Take(key.gang, device_class, *members);
    Charge(key, device_class, funding);
    plan_.starts.push_back({job, device_class, funding, *std::move(members)});
    return std::nullopt;
  }

  // quota.md, "Admission" A1 to A4, and the label the gang would get.
  std::optional<Blocker> CheckQuota(Phase phase, const GroupKey& key, ClassId device_class,
                                    Funding& funding) const {
    const QuotaKey tenant_key{key.tenant, ProjectId(), device_class};
    const QuotaKey project_key{key.tenant, key.project, device_class};
    if (auto reason = CheckLimit(tenant_key, key.gang); reason.has_value()) {
      return reason;
    }
    if (auto reason = CheckLimit(project_key, key.gang); reason.has_value()) {
      return reason;
    }
    const QuotaLimits limits = cluster_.quota().Limits(tenant_key);
    const QuotaUse use = Use(tenant_key);
    const int64_t devices = key.gang.devices();
    const bool owned_claim = use.used() + devices <= limits.entitlement;
    funding = use.owned + devices <= limits.entitlement ? Funding::kOwned : Funding::kBorrowed;
    const bool owned_only = !key.preemptible || !key.may_borrow;
    const bool fits_owned = key.preemptible ? owned_claim
                                            : use.non_preemptible + devices <= limits.entitlement &&
                                                  funding == Funding::kOwned;
    if ((owned_only && !fits_owned) || (phase == Phase::kOwned && !owned_claim)) {
      return Blocker{.code = ReasonCode::kBorrowing,
                     .device_class = device_class,
                     .asked = devices,
                     .have = use.used(),
                     .bound = limits.entitlement};
    }
    return owned_claim ? std::nullopt : CheckNonLendable(key, device_class);
  }

  std::optional<Blocker> CheckLimit(const QuotaKey& key, const GangShape& gang) const {
    const QuotaLimits limits = cluster_.quota().Limits(key);
    const int64_t used = Use(key).used();
    if (!limits.limit.has_value() || used + gang.devices() <= *limits.limit) {
      return std::nullopt;
    }
    return Blocker{.code = key.project ? ReasonCode::kProjectLimit : ReasonCode::kTenantLimit,
                   .device_class = key.device_class,
                   .asked = gang.devices(),
                   .have = used,
                   .bound = *limits.limit};
  }

  // A4: what the other tenants keep back of their unused entitlement stays free.
  std::optional<Blocker> CheckNonLendable(const GroupKey& key, ClassId device_class) const {
    int64_t kept = 0;
    for (const auto& [other, limits] : cluster_.quota().limits()) {
      if (other.device_class == device_class && !other.project && other.tenant != key.tenant) {
        kept += std::max<int64_t>(limits.non_lendable - Use(other).used(), 0);
      }
    }
    const int64_t free = free_.FreeCount(device_class);
    if (kept == 0 || free - kept >= key.gang.devices()) {
      return std::nullopt;
    }
    return Blocker{.code = ReasonCode::kNonLendable,
                   .device_class = device_class,
                   .asked = key.gang.devices(),
                   .have = free,
                   .bound = kept};
  }

  QuotaUse Use(const QuotaKey& key) const {
    QuotaUse use = cluster_.quota().Use(key);
    if (const auto extra = charged_.find(key); extra != charged_.end()) {
      use.owned += extra->second.owned;
      use.borrowed += extra->second.borrowed;
      use.non_preemptible += extra->second.non_preemptible;
    }
    return use;
  }

  void Charge(const GroupKey& key, ClassId device_class, Funding funding) {
    const int64_t devices = key.gang.devices();
    for (const ProjectId project : {ProjectId(), key.project}) {
      QuotaUse& use = charged_[{key.tenant, project, device_class}];
      (funding == Funding::kOwned ? use.owned : use.borrowed) += devices;
      use.non_preemptible += key.preemptible ? 0 : devices;
    }
  }

  const Cluster& cluster_;
  const Policy& policy_;
  FreeView free_;
  std::map<QuotaKey, QuotaUse> charged_;
  std::map<GroupId, std::set<JobId>::const_iterator> cursors_;
  std::set<GroupId> hopeless_;
  std::map<GroupId, Blocker> blockers_;
  Plan plan_;
};

}  // namespace

Plan MakePlan(const Cluster& cluster, const Policy& policy, absl::Time /*now*/) {
  return Round(cluster, policy).Run();
}

}  // namespace berth
