#include "scheduler/core/planner.h"

#include <algorithm>
#include <climits>
#include <functional>
#include <optional>
#include <queue>
#include <set>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"

#include "scheduler/core/admission.h"
#include "scheduler/core/queue_order.h"
#include "scheduler/core/round_books.h"

namespace berth {
namespace {

// One round: who is considered when, and what follows when he cannot start.
class Round {
 public:
  Round(const Cluster& cluster, const Policy& policy, absl::Time now)
      : cluster_(cluster), policy_(policy), now_(now), books_(cluster, policy, now) {
    states_.reserve(cluster.groups().size());
    touched_.reserve(cluster.groups().size());
  }

  Plan Run() {
    books_.SettleNominations();
    for (const Phase phase : {Phase::kOwned, Phase::kBorrow}) {
      for (const auto& [device_class, tenants] : cluster_.queues()) {
        if (phase == Phase::kBorrow) {
          AnchorOldest(device_class, tenants);
        }
        RunPhase(phase, device_class, tenants);
      }
    }
    Plan plan = books_.TakePlan();
    for (GroupId id : touched_) {
      const GroupState& state = states_.at(id);
      if (!(state.blocker == state.group->blocker)) {
        plan.blockers.emplace_back(id, state.blocker);
      }
    }
    return plan;
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

  // How far a group has come in this round.
  struct GroupState {
    const PendingGroup* group = nullptr;
    std::set<JobId>::const_iterator next;
    int tasks_started = 0;  // of the array at `next`
    bool hopeless = false;  // nothing more of it starts in this round
    Blocker blocker;
  };

  GroupState& StateOf(GroupId id) {
    const auto [found, added] = states_.try_emplace(id);
    GroupState& state = found->second;
    if (added) {
      state.group = &cluster_.GetGroup(id);
      state.next = state.group->ready.begin();
      state.blocker = state.group->blocker;
      touched_.push_back(id);
    }
    return state;
  }

  // The next job of the group that is not started or nominated yet; none if there is none.
  JobId NextJob(GroupState& state) {
    const PendingGroup& group = *state.group;
    // Without an array in it every job counts as one.
    const bool plain =
        group.tasks == static_cast<int64_t>(group.ready.size() + group.waiting.size());
    while (state.next != group.ready.end() &&
           (state.tasks_started >= (plain ? 1 : cluster_.StartableTasks(*state.next)) ||
            books_.IsNominated(*state.next))) {
      state.tasks_started = 0;
      ++state.next;
    }
    return state.next == group.ready.end() ? JobId() : *state.next;
  }

  void RunPhase(Phase phase, ClassId device_class, const std::map<TenantId, TenantQueue>& tenants) {
    std::set<Turn> line;
    for (const auto& [tenant, groups] : tenants) {
      line.insert({ShareOf(phase, tenant, device_class), tenant, groups.begin()});
    }
    while (!line.empty() && !books_.IsFull()) {
      Turn turn = line.extract(line.begin()).value();
      const TenantQueue& groups = tenants.at(turn.tenant);
      const Reach reach = ReachOf(phase, turn.tenant, device_class);
      bool started = false;
      while (!started && turn.next_group != groups.end()) {
        if (reach.IsBeyond(*turn.next_group)) {
          ++turn.next_group;
          continue;
        }
        started = StartNext(phase, turn.next_group->group);
        if (!started && LocksQueue(phase, *turn.next_group, groups)) {
          turn.next_group = groups.end();
        } else if (!started) {
          ++turn.next_group;
        }
      }
      if (started) {
        turn.share = ShareOf(phase, turn.tenant, device_class);
        line.insert(turn);
      }
    }
  }

  // What a tenant's owned claims of a class can come to: more devices than `room` only by a
  // priority above `lowest`. Borrow requests may all come to something.
  struct Reach {
    bool bounded = false;
    int64_t room = 0;
    int lowest = INT_MAX;

    bool IsBeyond(const QueuePlace& place) const {
      return bounded && place.plain && place.least_devices > room && place.priority <= lowest;
    }
  };

  Reach ReachOf(Phase phase, TenantId tenant, ClassId device_class) const {
    if (phase == Phase::kBorrow || !device_class || !MayBePassed(tenant)) {
      return {};
    }
    return {true, books_.quota().OwnedRoom(tenant, device_class),
            cluster_.LowestPriority(tenant, device_class).value_or(INT_MAX)};
  }

  Share ShareOf(Phase phase, TenantId tenant, ClassId device_class) const {
    const QuotaView::Position& position = books_.quota().Of(tenant, device_class);
    const int64_t used = position.use.used();
    return phase == Phase::kOwned ? OwnedShare(position.limits, used)
                                  : BorrowShare(position.limits, used);
  }

  // Starts the group's next job, or has devices recalled for it; false when the group is done for
  // this phase.
  bool StartNext(Phase phase, GroupId id) {
    GroupState& state = StateOf(id);
    const PendingGroup& group = *state.group;
    const JobId job = state.hopeless ? JobId() : NextJob(state);
    if (!job) {
      return false;
    }
    if (cluster_.quota().FindTenant(group.key.tenant)->suspended) {
      state.hopeless = true;
      state.blocker = {.code = ReasonCode::kTenantSuspended};
      return false;
    }
    std::vector<ClassId> any;
    const std::vector<ClassId>& classes = ClassesOf(group, any);
    std::optional<Blocker> first;
    bool by_quota = false;
    for (ClassId device_class : classes) {
      const auto blocker = books_.TryStart({group, job, device_class, phase});
      if (!blocker.has_value()) {
        ++state.tasks_started;
        state.blocker = {.code = ReasonCode::kBeingEvaluated};
        return true;
      }
      by_quota |= IsQuota(blocker->code);
      first = first.has_value() ? first : blocker;
    }
    state.blocker = first.value_or(Blocker{.code = ReasonCode::kNoNodes});
    if (phase == Phase::kOwned && Recall(group, job, classes)) {
      ++state.tasks_started;
      return true;
    }
    state.hopeless = !by_quota;
    if (phase == Phase::kOwned && MayAnchor(group.key.tenant)) {
      Anchor(group, job, classes, phase);
    }
    return false;
  }

  // A1 to A4: another phase may see it otherwise.
  static bool IsQuota(ReasonCode code) {
    return code >= ReasonCode::kTenantLimit && code <= ReasonCode::kShortfall;
  }

  // The group's own classes, else, in `any`, those there are.
  const std::vector<ClassId>& ClassesOf(const PendingGroup& group,
                                        std::vector<ClassId>& any) const {
    if (group.key.gang.devices_per_node > 0 && !group.key.gang.classes.empty()) {
      return group.key.gang.classes;
    }
    any = ClassOrder(cluster_, group.key.tenant, group.key.gang);
    return any;
  }

  bool Recall(const PendingGroup& group, JobId job, const std::vector<ClassId>& classes) {
    for (const ReclaimScope scope : {ReclaimScope::kBorrowers, ReclaimScope::kLowerPriority}) {
      for (ClassId device_class : classes) {
        if (scope == ReclaimScope::kLowerPriority &&
            cluster_.LowestPriority(group.key.tenant, device_class).value_or(INT_MAX) >=
                group.key.priority) {
          continue;
        }
        if (books_.TryRecall({group, job, device_class, Phase::kOwned}, scope)) {
          return true;
        }
      }
    }
    return false;
  }

  // Whether a job of the tenant may start before one that it ranks above.
  bool MayBePassed(TenantId tenant) const {
    const QueuePreset preset = cluster_.quota().FindTenant(tenant)->queue_preset;
    return preset == QueuePreset::kEasy || preset == QueuePreset::kTraverse;
  }

  bool MayAnchor(TenantId tenant) const {
    return cluster_.quota().FindTenant(tenant)->queue_preset != QueuePreset::kTraverse;
  }

  bool Anchor(const PendingGroup& group, JobId job, const std::vector<ClassId>& classes,
              Phase phase) {
    return std::any_of(classes.begin(), classes.end(), [&](ClassId device_class) {
      return books_.TryAnchor({group, job, device_class, phase});
    });
  }

  // Whether nothing of the tenant may pass this group, which could not start (quota.md, "Order").
  bool LocksQueue(Phase phase, const QueuePlace& head, const TenantQueue& groups) {
    GroupState& state = states_.at(head.group);
    const Tenant& tenant = *cluster_.quota().FindTenant(state.group->key.tenant);
    const JobId job = NextJob(state);
    if (!job) {
      return false;
    }
    const absl::Time unlocks = cluster_.GetJob(job).submitted_at + tenant.stepped_timeout;
    const bool stepped = tenant.queue_preset == QueuePreset::kStepped && now_ < unlocks;
    if (tenant.queue_preset != QueuePreset::kFifo && !stepped) {
      return false;
    }
    if (stepped) {
      books_.LookAgainAt(unlocks);
    }
    if (phase == Phase::kBorrow) {
      for (auto behind = std::next(groups.find(head)); behind != groups.end(); ++behind) {
        StateOf(behind->group).blocker = {.code = ReasonCode::kQueueHead, .job = job};
      }
    }
    return true;
  }

  absl::Time RipeAt(JobId job) const {
    return cluster_.GetJob(job).submitted_at + policy_.borrow_age;
  }
  bool IsRipe(JobId job) const { return RipeAt(job) <= now_; }

  // The oldest borrow request that has waited for long goes first, and nothing may delay it.
  void AnchorOldest(ClassId device_class, const std::map<TenantId, TenantQueue>& tenants) {
    if (books_.HasAnchor(device_class)) {
      return;
    }
    using Aged = std::pair<JobId, GroupId>;
    std::vector<Aged> aged;
    for (const auto& [tenant, groups] : tenants) {
      if (!MayAnchor(tenant)) {
        continue;
      }
      for (const QueuePlace& place : groups) {
        // A group whose oldest job is young has none that is ripe.
        if (place.submitted_at + policy_.borrow_age > now_) {
          books_.LookAgainAt(place.submitted_at + policy_.borrow_age);
        } else {
          aged.emplace_back(place.oldest, place.group);
        }
      }
    }
    // The oldest first; most are never looked at.
    std::priority_queue<Aged, std::vector<Aged>, std::greater<>> line({}, std::move(aged));
    while (!line.empty() && !books_.IsFull()) {
      const auto [oldest, id] = line.top();
      line.pop();
      const PendingGroup& group = cluster_.GetGroup(id);
      JobId job = NextJob(StateOf(id));
      if (job && job != oldest) {
        line.emplace(job, id);
        continue;
      }
      while (job && IsRipe(job) && StartNext(Phase::kBorrow, id)) {
        job = NextJob(StateOf(id));
      }
      if (job && IsRipe(job) &&
          Anchor(group, job, ClassOrder(cluster_, group.key.tenant, group.key.gang),
                 Phase::kBorrow)) {
        return;
      }
    }
  }

  const Cluster& cluster_;
  const Policy& policy_;
  const absl::Time now_;
  RoundBooks books_;
  absl::flat_hash_map<GroupId, GroupState> states_;
  std::vector<GroupId> touched_;
};

}  // namespace

Plan MakePlan(const Cluster& cluster, const Policy& policy, absl::Time now) {
  return Round(cluster, policy, now).Run();
}

}  // namespace berth
