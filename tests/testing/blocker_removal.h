#ifndef BERTH_TESTS_TESTING_BLOCKER_REMOVAL_H_
#define BERTH_TESTS_TESTING_BLOCKER_REMOVAL_H_

// Takes away what an explanation lists, on a copy of the center, each in the way that a person
// would who reads only the blocker's name and numbers.

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "scheduler/core/explain.h"
#include "scheduler/core/placement.h"
#include "scheduler/core/round_books.h"
#include "tests/testing/random_center.h"

namespace berth {

class BlockerRemoval {
 public:
  // What other pending jobs do when the blockers are gone.
  enum class Others { kCompete, kHeld };

  BlockerRemoval(RandomCenter center, const Explanation& explanation)
      : center_(std::move(center)), cluster_(center_.cluster()), explanation_(explanation) {}

  // Whether the job starts once all blockers but those of one code are gone.
  bool StartsWithout(ReasonCode kept, Others others) {
    if (others == Others::kHeld) {
      HoldOthers(kept);
    }
    for (const ExplainedBlocker& explained : explanation_.blockers) {
      if (explained.blocker.code != kept) {
        Remove(explained.blocker);
      }
    }
    cluster_.WakeJobs(center_.now());
    for (int round = 0; round < 5; ++round) {
      if (center_.Starts(explanation_.job, 1)) {
        return true;
      }
      // What the job has recalled once nothing else holds it back.
      if (kept != ReasonCode::kRecalling) {
        EndRecalled();
      }
    }
    return false;
  }

  const RandomCenter& center() const { return center_; }

 private:
  // Those ahead; where a quota, devices or an anchor go, all: the order is another then. A head and
  // an anchor that are to stay do.
  void HoldOthers(ReasonCode kept) {
    const bool reordered = explanation_.ahead.jobs > 0 ||
                           std::any_of(explanation_.blockers.begin(), explanation_.blockers.end(),
                                       [](const auto& listed) {
                                         return listed.blocker.code > ReasonCode::kTenantSuspended;
                                       });
    std::set<JobId> stay = {explanation_.job};
    for (const ExplainedBlocker& explained : explanation_.blockers) {
      if (explained.blocker.code == kept && explained.blocker.job) {
        stay.insert(explained.blocker.job);
      }
    }
    const std::map<QuotaKey, QuotaUse> before = UsesWithClaims();
    for (const auto& [id, job] : std::map<JobId, Job>(cluster_.jobs())) {
      const bool waits = job.state == JobState::kQueued && !stay.contains(id);
      if (waits &&
          (reordered || job.not_before > absl::InfinitePast() || !job.spec.dependencies.empty())) {
        cluster_.SetHeld(id, true);
        cluster_.DropNomination(id, absl::InfiniteFuture());
      }
    }
    // The devices of a claim that is dropped are anybody's, its part of the quotas is not.
    for (const auto& [key, use] : UsesWithClaims()) {
      cluster_.PutLimits(key, WithRoom(cluster_.quota().Limits(key), before.at(key), use));
    }
  }

  // What tenants and projects use, with the claims that have their devices coming.
  std::map<QuotaKey, QuotaUse> UsesWithClaims() const {
    RoundBooks books(cluster_, center_.policy(), center_.now());
    books.SettleNominations();
    std::map<QuotaKey, QuotaUse> uses;
    for (const auto& [key, limits] : cluster_.quota().limits()) {
      uses[key] = key.project ? books.quota().ProjectUse(key)
                              : books.quota().Of(key.tenant, key.device_class).use;
    }
    return uses;
  }

  void Remove(const Blocker& blocker) {
    switch (blocker.code) {
      case ReasonCode::kHeld:
      case ReasonCode::kBackOff:
      case ReasonCode::kBeginTime:
      case ReasonCode::kDependency:
      case ReasonCode::kArrayThrottle:
      case ReasonCode::kTenantSuspended:
        RemoveOwn(blocker);
        break;
      case ReasonCode::kTenantLimit:
      case ReasonCode::kProjectLimit:
      case ReasonCode::kNonLendable:
      case ReasonCode::kBlocksOwed:
        RemoveQuota(blocker);
        break;
      case ReasonCode::kNonPreemptible:
        ChangeSpec([](JobSpec& spec) { spec.preemptible = spec.may_borrow = true; });
        break;
      case ReasonCode::kBorrowing:
        ChangeSpec([](JobSpec& spec) { spec.may_borrow = true; });
        break;
      case ReasonCode::kNoNodes:
        AddNodes(blocker);
        break;
      case ReasonCode::kBooked:
        for (auto [booking_id, booking] : std::map<BookingId, Booking>(cluster_.bookings())) {
          booking.ended = true;
          cluster_.PutBooking(booking);
        }
        break;
      case ReasonCode::kTopology:
        ChangeSpec([](JobSpec& spec) { spec.gang.topology_required = false; });
        break;
      case ReasonCode::kHostResources:
        for (const auto& [node_id, node] : std::map<NodeId, Node>(cluster_.nodes())) {
          NodeFacts facts = node.facts;
          facts.capacity = {100000, 100000};
          cluster_.PutFacts(node_id, std::move(facts));
        }
        break;
      case ReasonCode::kFragmentation:
      case ReasonCode::kDevicesBusy:
        FreeNodes();
        break;
      case ReasonCode::kRecalling:
        break;  // between the rounds
      case ReasonCode::kBehindAnchor:
      case ReasonCode::kQueueHead:
        break;  // HoldOthers
      case ReasonCode::kNone:
      case ReasonCode::kShortfall:
      case ReasonCode::kBeingEvaluated:
      case ReasonCode::kPreparing:
      case ReasonCode::kStopping:
      case ReasonCode::kNodeSilent:
        break;  // nothing that could be taken away
    }
  }

  template <typename Change>
  void ChangeSpec(Change change) {
    JobSpec spec = cluster_.GetJob(explanation_.job).spec;
    change(spec);
    cluster_.SetSpec(explanation_.job, std::move(spec));
  }

  void RemoveOwn(const Blocker& blocker) {
    if (blocker.code == ReasonCode::kHeld) {
      cluster_.SetHeld(explanation_.job, false);
    } else if (blocker.code == ReasonCode::kDependency) {
      ChangeSpec([](JobSpec& spec) { spec.dependencies.clear(); });
    } else if (blocker.code == ReasonCode::kArrayThrottle) {
      ChangeSpec([](JobSpec& spec) { spec.array.concurrent_max = 0; });
    } else if (blocker.code == ReasonCode::kTenantSuspended) {
      Tenant tenant = *cluster_.quota().FindTenant(cluster_.GetJob(explanation_.job).spec.tenant);
      tenant.suspended = false;
      cluster_.PutTenant(std::move(tenant));
    } else {
      PassTime(blocker.until);
    }
  }

  // For the job alone: bookings do not begin meanwhile.
  void PassTime(absl::Time until) {
    const std::map<BookingId, Booking> bookings = cluster_.bookings();
    for (auto [id, booking] : bookings) {
      booking.from = booking.to = absl::InfiniteFuture();
      cluster_.PutBooking(booking);
    }
    cluster_.WakeJobs(until);
    for (const auto& [id, booking] : bookings) {
      cluster_.PutBooking(booking);
    }
  }

  void RemoveQuota(const Blocker& blocker) {
    const JobSpec& spec = cluster_.GetJob(explanation_.job).spec;
    QuotaKey key{spec.tenant, ProjectId(), blocker.device_class};
    if (blocker.code == ReasonCode::kNonLendable) {
      return Lend(key);
    }
    if (blocker.code == ReasonCode::kBlocksOwed) {
      return ForgetBlocks(key);
    }
    if (blocker.code == ReasonCode::kProjectLimit) {
      key.project = spec.project;
    }
    QuotaLimits limits = cluster_.quota().Limits(key);
    limits.limit.reset();
    cluster_.PutLimits(key, limits);
  }

  // Whoever was asked to give something back has: a claim may count on what others asked for.
  void EndRecalled() {
    for (JobId active : std::set<JobId>(cluster_.active_jobs())) {
      GiveBack(active);
    }
    // Where other shares stay on the device, the claim lapses, and the share is put beside them.
    for (const auto& [claim, start] : std::map<JobId, Start>(cluster_.nominations())) {
      if (cluster_.GetJob(claim).spec.gang.device_share_milli > 0 &&
          !FreeView(cluster_).AreUnallocated(start.members)) {
        cluster_.DropNomination(claim, absl::InfiniteFuture());
      }
    }
  }

  void GiveBack(JobId id) {
    if (cluster_.GetJob(id).state == JobState::kStopping) {
      return center_.EndJob(id);
    }
    for (AllocationId member : std::vector<AllocationId>(cluster_.GetJob(id).allocations)) {
      if (cluster_.GetAllocation(member).state == AllocationState::kReleasing) {
        cluster_.ReleaseAllocation(member, ReleaseEvidence::kReported, center_.now());
      }
    }
  }

  void Lend(const QuotaKey& own) {
    for (const auto& [tenant, record] : cluster_.quota().tenants()) {
      const QuotaKey key{tenant, ProjectId(), own.device_class};
      QuotaLimits limits = cluster_.quota().Limits(key);
      limits.non_lendable = tenant == own.tenant ? limits.non_lendable : 0;
      cluster_.PutLimits(key, limits);
    }
  }

  void ForgetBlocks(const QuotaKey& own) {
    for (const auto& [tenant, record] : cluster_.quota().tenants()) {
      const QuotaKey key{tenant, ProjectId(), own.device_class};
      QuotaLimits limits = cluster_.quota().Limits(key);
      limits.block_count = 0;
      cluster_.PutLimits(key, limits);
    }
  }

  // Nodes that are missing, all in one place if they must be; where blocks are owed, their owners
  // get theirs, too.
  void AddNodes(const Blocker& blocker) {
    const GangShape& gang = cluster_.GetJob(explanation_.job).spec.gang;
    const auto label = gang.node_labels.find("zone");
    const int zone = label == gang.node_labels.end() || label->second == "0" ? 0 : 1;
    const int64_t have = gang.topology_required ? 0 : blocker.have;
    for (int64_t i = have; i < gang.least_nodes(); ++i) {
      center_.AddNode(absl::StrCat("fresh", i), blocker.device_class, zone, RandomCenter::Rack(2));
    }
    int spares = 3;
    for (const auto& [key, limits] : cluster_.quota().limits()) {
      for (int i = 0; key.device_class == blocker.device_class && i < limits.block_count; ++i) {
        center_.AddNode(absl::StrCat("spare", spares), blocker.device_class, 2,
                        RandomCenter::Rack(spares));
        ++spares;
      }
    }
  }

  void FreeNodes() {
    std::set<JobId> holders;
    for (const NodePart& part : explanation_.parts) {
      for (const NodePart::Named& named : part.named) {
        for (AllocationId allocation : cluster_.AllocationsOn(named.node)) {
          const Job& holder = cluster_.GetJob(cluster_.GetAllocation(allocation).job);
          if (!MayBeBeside(holder)) {
            holders.insert(holder.id);
          }
        }
      }
    }
    const std::map<QuotaKey, QuotaLimits> limits = cluster_.quota().limits();
    std::map<QuotaKey, QuotaUse> before;
    for (const auto& [key, ignored] : limits) {
      before[key] = FirmUse(key);
    }
    for (JobId holder : holders) {
      center_.EndJob(holder);
    }
    for (const auto& [key, had] : limits) {
      cluster_.PutLimits(key, WithRoom(had, before.at(key), FirmUse(key)));
    }
  }

  // A label that another gang would give to the job counts as borrowed.
  QuotaUse FirmUse(const QuotaKey& key) const {
    QuotaUse use = cluster_.quota().Use(key);
    const JobSpec& spec = cluster_.GetJob(explanation_.job).spec;
    if (key.tenant == spec.tenant && !key.project && !(spec.preemptible && spec.may_borrow)) {
      for (JobId id : cluster_.YieldingLabels(key.tenant, key.device_class, spec.priority)) {
        const int64_t devices = cluster_.HeldDevices(cluster_.GetJob(id));
        use.owned -= devices;
        use.borrowed += devices;
      }
    }
    return use;
  }

  // A share that the job would share a device with is not in its way.
  bool MayBeBeside(const Job& other) const {
    const JobSpec& spec = cluster_.GetJob(explanation_.job).spec;
    return spec.gang.device_share_milli > 0 && other.spec.gang.device_share_milli > 0 &&
           other.spec.project == spec.project && other.spec.preemptible == spec.preemptible &&
           (spec.may_borrow || other.attempt.funding == Funding::kOwned) &&
           spec.gang.device_share_milli + other.spec.gang.device_share_milli <= kWholeDeviceMilli;
  }

  // Ended jobs leave neither their owners nor others more room than there was: only devices.
  static QuotaLimits WithRoom(QuotaLimits limits, const QuotaUse& before, const QuotaUse& after) {
    const int64_t kept = std::max<int64_t>(limits.non_lendable - before.used(), 0);
    limits.non_lendable = kept == 0 ? 0 : kept + after.used();
    limits.entitlement = std::max<int64_t>(limits.entitlement - before.owned + after.owned, 0);
    if (limits.limit.has_value()) {
      limits.limit = *limits.limit - before.used() + after.used();
    }
    return limits;
  }

  RandomCenter center_;
  Cluster& cluster_;
  const Explanation& explanation_;
};

// Whether the job starts when everything listed but `kept` is gone: as things are, or if those
// ahead stay behind.
inline bool StartsWithout(const RandomCenter& center, const Explanation& explanation,
                          ReasonCode kept) {
  using Others = BlockerRemoval::Others;
  return BlockerRemoval(center, explanation).StartsWithout(kept, Others::kCompete) ||
         BlockerRemoval(center, explanation).StartsWithout(kept, Others::kHeld);
}

}  // namespace berth

#endif  // BERTH_TESTS_TESTING_BLOCKER_REMOVAL_H_
