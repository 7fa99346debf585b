#include "scheduler/core/planner.h"

#include <algorithm>
#include <functional>
#include <optional>
#include <queue>
#include <tuple>
#include <utility>
#include <vector>

#include "scheduler/core/admission.h"
#include "scheduler/core/group_states.h"
#include "scheduler/core/queue_order.h"
#include "scheduler/core/refusal_memo.h"
#include "scheduler/core/round_books.h"

namespace berth {
namespace {

// One round: who is considered when, and what follows when he cannot start.
class Round {
 public:
  Round(const Cluster& cluster, const Policy& policy, absl::Time now)
      : cluster_(cluster),
        policy_(policy),
        now_(now),
        books_(cluster, policy, now),
        states_(cluster, books_) {}

  Plan Run() {
    books_.SettleNominations();
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

 private:
  // A tenant's place in the line of one class and phase.
  struct Turn {
    Share share;
    TenantId tenant;
    TenantQueue::const_iterator next_group;
    friend bool operator>(const Turn& a, const Turn& b) {
      return b.share < a.share || (!(a.share < b.share) && a.tenant > b.tenant);
    }
  };

  GroupState& StateOf(GroupId id) { return states_.Of(id); }

  void RunPhase(Phase phase, ClassId device_class, const std::map<TenantId, TenantQueue>& tenants) {
    std::vector<Turn> turns;
    turns.reserve(tenants.size());
    for (const auto& [tenant, groups] : tenants) {
      turns.push_back({ShareOf(phase, tenant, device_class), tenant, groups.begin()});
    }
    std::priority_queue line(std::greater<Turn>(), std::move(turns));
    while (!line.empty() && !books_.IsFull()) {
      Turn turn = line.top();
      line.pop();
      const TenantQueue& groups = tenants.at(turn.tenant);
      const Tenant& tenant = *cluster_.quota().FindTenant(turn.tenant);
      Reach reach = ReachOf(phase, tenant, device_class);
      const bool alike = MayBeRefusedAlike(tenant);
      refusals_.Begin(alike ? cluster_.LowestPriority(turn.tenant, device_class) : std::nullopt);
      bool started = false;
      while (!started && turn.next_group != groups.end()) {
        if (IsBeyond(*turn.next_group, reach, tenant) ||
            (alike && IsRefusedAlike(phase, *turn.next_group))) {
          ++turn.next_group;
          continue;
        }
        started = StartNext(phase, turn.next_group->group, turn.next_group->oldest, tenant);
        if (!started && !MayBePassed(tenant) &&
            LocksQueue(phase, *turn.next_group, groups, tenant)) {
          turn.next_group = groups.end();
        } else if (!started) {
          ++turn.next_group;
        }
      }
      if (started) {
        turn.share = ShareOf(phase, turn.tenant, device_class);
        line.push(turn);
      }
    }
  }

  // Whether requests of the tenant for the same shape have the same chances in one phase, while
  // nothing starts: apart from when they end, they differ in their projects only.
  bool MayBeRefusedAlike(const Tenant& tenant) const {
    return MayBePassed(tenant) && cluster_.bookings().empty() &&
           !cluster_.quota().has_project_limits();
  }

  // Whether a group before this one in its tenant's queue was refused what this one asks for. It
  // has the same blocker then, and there is no more to find out about it: a large center has
  // thousands of such groups.
  bool IsRefusedAlike(Phase phase, const QueuePlace& place) {
    const RefusalMemo::Refusal* refusal = refusals_.Find(place);
    // One that has been considered may have started.
    if (refusal == nullptr || states_.Contains(place.group) || books_.IsNominated(place.oldest)) {
      return false;
    }
    if (phase == Phase::kBorrow) {
      states_.Refuse(place.group, refusal->blocker);
    } else if (refusal->hopeless || !(cluster_.GetGroup(place.group).blocker == refusal->blocker)) {
      GroupState& state = StateOf(place.group);
      state.blocker = refusal->blocker;
      state.hopeless = refusal->hopeless;
    }
    return true;
  }

  // What a tenant's owned claims of a queue can come to: not to more devices than `room`, nor, of
  // those that name several classes, than `most`. Borrow requests may all come to something.
  struct Reach {
    bool bounded = false;
    int64_t room = 0;
    std::optional<int64_t> most = {};  // found when asked for
  };

  bool IsBeyond(const QueuePlace& place, Reach& reach, const Tenant& tenant) const {
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

  Reach ReachOf(Phase phase, const Tenant& tenant, ClassId device_class) const {
    if (phase == Phase::kBorrow || !device_class || !MayBePassed(tenant)) {
      return {};
    }
    return {true, books_.quota().OwnedRoom(tenant.id, device_class)};
  }

  Share ShareOf(Phase phase, TenantId tenant, ClassId device_class) const {
    const QuotaView::Position& position = books_.quota().Of(tenant, device_class);
    const int64_t used = position.use.used();
    return phase == Phase::kOwned ? OwnedShare(position.limits, used)
                                  : BorrowShare(position.limits, used);
  }

  // Starts the group's next job, or has devices recalled for it; false when the group is done for
  // this phase.
  // `oldest`: of the group's ready jobs.
  bool StartNext(Phase phase, GroupId id, JobId oldest, const Tenant& tenant) {
    GroupState& state = StateOf(id);
    const PendingGroup& group = *state.group;
    const JobId job = state.hopeless ? JobId() : states_.NextJob(state, oldest);
    if (!job) {
      return false;
    }
    if (tenant.suspended) {
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
        // Who stood behind this head may claim what he owns.
        if (!MayBePassed(tenant)) {
          books_.PlanAgain();
        }
        ++state.tasks_started;
        state.blocker = {.code = ReasonCode::kBeingEvaluated};
        return true;
      }
      by_quota |= IsQuota(blocker->code);
      first = first.has_value() ? first : blocker;
    }
    state.blocker = first.value_or(Blocker{.code = ReasonCode::kNoNodes});
    const int64_t found_before = books_.recalls_found();
    const int64_t forbidden_before = books_.recalls_forbidden();
    // An elastic gang may borrow more nodes than it could own, and those in other places.
    state.hopeless = !by_quota && !group.key.gang.is_elastic();
    // What it may still borrow, nobody of its tenant has to give up.
    const bool swaps = phase == Phase::kBorrow || state.hopeless;
    if ((phase == Phase::kOwned && Recall(ReclaimScope::kBorrowers, group, job, classes)) ||
        (swaps && Recall(ReclaimScope::kLowerPriority, group, job, classes))) {
      state.hopeless = false;
      ++state.tasks_started;
      return true;
    }
    if (phase == Phase::kOwned && MayAnchor(tenant) &&
        Anchor(group, job, classes, phase) == RoundBooks::Anchored::kRecall) {
      state.hopeless = false;
      ++state.tasks_started;
      return true;
    }
    // A recall that was found may be one for a job that ends before the anchor starts.
    const bool found = books_.recalls_found() != found_before;
    if (phase == Phase::kBorrow || !found) {
      refusals_.Note(state, !found && books_.recalls_forbidden() == forbidden_before);
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

  bool Recall(ReclaimScope scope, const PendingGroup& group, JobId job,
              const std::vector<ClassId>& classes) {
    return std::any_of(classes.begin(), classes.end(), [&](ClassId device_class) {
      const bool anybody =
          scope == ReclaimScope::kBorrowers ||
          cluster_.LowestPriority(group.key.tenant, device_class).value_or(group.key.priority) <
              group.key.priority;
      return anybody && books_.TryRecall({group, job, device_class, Phase::kOwned}, scope);
    });
  }

  // Whether a job of the tenant may start before one that it ranks above.
  static bool MayBePassed(const Tenant& tenant) {
    return tenant.queue_preset == QueuePreset::kEasy ||
           tenant.queue_preset == QueuePreset::kTraverse;
  }

  static bool MayAnchor(const Tenant& tenant) {
    return tenant.queue_preset != QueuePreset::kTraverse;
  }

  RoundBooks::Anchored Anchor(const PendingGroup& group, JobId job,
                              const std::vector<ClassId>& classes, Phase phase) {
    for (ClassId device_class : classes) {
      const RoundBooks::Anchored anchored = books_.TryAnchor({group, job, device_class, phase});
      if (anchored != RoundBooks::Anchored::kNone) {
        return anchored;
      }
    }
    return RoundBooks::Anchored::kNone;
  }

  // Whether nothing of its tenant may pass the first job of the group (quota.md, "Order").
  bool IsLock(const QueuePlace& place, const Tenant& tenant) {
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

  // Whether nothing of the tenant may pass this group, which could not start.
  bool LocksQueue(Phase phase, const QueuePlace& head, const TenantQueue& groups,
                  const Tenant& tenant) {
    if (!IsLock(head, tenant)) {
      return false;
    }
    if (phase == Phase::kBorrow) {
      const JobId job = states_.NextJob(StateOf(head.group), head.oldest);
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

  // Borrow requests that have waited for long, the oldest first; most are never looked at.
  using Aged = std::tuple<JobId, GroupId, ClassId>;  // the class of its queue
  using AgedLine = std::priority_queue<Aged, std::vector<Aged>, std::greater<>>;

  // Those of a tenant in a queue; of one that locks its queue those that have no head before them.
  void ListAged(ClassId queue, const Tenant& tenant, const TenantQueue& groups, AgedLine& line) {
    if (!MayAnchor(tenant)) {
      return;
    }
    const bool may_lock = !MayBePassed(tenant);
    for (const QueuePlace& place : groups) {
      // A group whose oldest job is young has none that is ripe.
      const absl::Time ripe_at = place.submitted_at + policy_.borrow_age;
      books_.LookAgainAt(ripe_at);
      const JobId oldest =
          may_lock ? states_.NextJob(StateOf(place.group), place.oldest) : place.oldest;
      if (ripe_at <= now_ && oldest) {
        line.emplace(oldest, place.group, queue);
      }
      if (may_lock && IsLock(place, tenant)) {
        break;
      }
    }
  }

  // The oldest borrow requests that have waited for long go first, and nothing may delay the first
  // that cannot start. Before anybody else borrows, in whatever queue: it may be anchored in
  // another class than that of its queue.
  void AnchorOldest() {
    AgedLine line;
    std::vector<ClassId> open;  // queues without an anchor
    for (const auto& [queue, tenants] : cluster_.queues()) {
      if (books_.HasAnchor(queue)) {
        continue;
      }
      open.push_back(queue);
      for (const auto& [tenant, groups] : tenants) {
        ListAged(queue, *cluster_.quota().FindTenant(tenant), groups, line);
      }
    }
    while (!open.empty() && !line.empty() && !books_.IsFull()) {
      const auto [oldest, id, queue] = line.top();
      line.pop();
      if (std::count(open.begin(), open.end(), queue) == 0) {
        continue;
      }
      const PendingGroup& group = cluster_.GetGroup(id);
      const Tenant& tenant = *cluster_.quota().FindTenant(group.key.tenant);
      const JobId job = states_.NextJob(StateOf(id), oldest);
      if (job && job == oldest && IsRipe(job) && !StartNext(Phase::kBorrow, id, oldest, tenant)) {
        std::vector<ClassId> any;
        const auto anchored = Anchor(group, job, ClassesOf(group, any), Phase::kBorrow);
        std::erase_if(open, [&, from = queue](ClassId of) {
          // Of those that name no class one is enough, in whatever class.
          return of ? books_.HasAnchor(of) : anchored == RoundBooks::Anchored::kAnchor && !from;
        });
        continue;
      }
      // Another of the group is the oldest now, or who stood behind this head.
      const JobId next = states_.NextJob(StateOf(id), oldest);
      if (next && IsRipe(next)) {
        line.emplace(next, id, queue);
      } else if (!next && !MayBePassed(tenant)) {
        ListAged(queue, tenant, cluster_.queues().at(queue).at(tenant.id), line);
      }
    }
  }

  const Cluster& cluster_;
  const Policy& policy_;
  const absl::Time now_;
  RoundBooks books_;
  GroupStates states_;
  RefusalMemo refusals_;  // of this turn
};

}  // namespace

Plan MakePlan(const Cluster& cluster, const Policy& policy, absl::Time now) {
  return Round(cluster, policy, now).Run();
}

}  // namespace berth
