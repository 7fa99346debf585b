#ifndef BERTH_SCHEDULER_CORE_PLANNING_ROUND_H_
#define BERTH_SCHEDULER_CORE_PLANNING_ROUND_H_

// One round: who is considered when, and what follows when he cannot start. Behind MakePlan.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <queue>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/time/time.h"

#include "scheduler/core/cluster.h"
#include "scheduler/core/group_states.h"
#include "scheduler/core/plan.h"
#include "scheduler/core/policy.h"
#include "scheduler/core/queue_order.h"
#include "scheduler/core/queue_walk.h"
#include "scheduler/core/round_books.h"

namespace berth {

class PlanningRound {
 public:
  // The cluster must not change meanwhile.
  PlanningRound(const Cluster& cluster, const Policy& policy, absl::Time now);

  Plan Run();

 private:
  // A tenant's place in the line of one class and phase.
  struct Turn {
    Share share;
    TenantId tenant;
    size_t walk;  // its way through its queue
    friend bool operator>(const Turn& a, const Turn& b) {
      return b.share < a.share || (!(a.share < b.share) && a.tenant > b.tenant);
    }
  };
  // What a tenant's claims of a queue can come to in a phase: owned ones not to more devices than
  // `room`, nor, of those that name several classes, than `most`. Borrow requests may all come to
  // something.
  struct Reach {
    std::optional<int> lowest = {};  // priority of those of the tenant in the class
    bool bounded = false;
    int64_t room = 0;
    std::optional<int64_t> most = {};  // found when asked for
  };
  // A borrow request that has waited for long. Most are never looked at.
  struct Aged {
    QueueAge age;
    ClassId queue;
    bool listed_alone = false;  // the next of its tenant's queue is listed when this is taken
    bool kept = false;          // anchored in the class already, which is not looked at
    friend bool operator>(const Aged& a, const Aged& b) { return a.age > b.age; }
  };
  using AgedLine = std::priority_queue<Aged, std::vector<Aged>, std::greater<>>;

  GroupState& StateOf(GroupId id) { return states_.Of(id); }
  // Those keep their blocker, whatever is found for groups alike.
  void ConsiderNominated();
  void RunPhase(Phase phase, ClassId device_class, const std::map<TenantId, TenantQueue>& tenants);
  // Goes on until something of the tenant starts; false: nothing more does.
  bool StartOne(Phase phase, const Tenant& tenant, const TenantQueue& groups, Reach& reach,
                QueueWalk& walk);
  // Whether requests of the tenant for the same shape have the same chances in one phase: apart
  // from when they end, they differ in their projects only.
  bool MayBeRefusedAlike(const Tenant& tenant) const;
  // Whether the next place, and those alike behind it, are told what one before it was told: there
  // is no more to find out about them, and a large center has thousands of such groups.
  bool RefusedAlike(Phase phase, QueueWalk& walk, const Reach& reach);
  void NoteRefusal(QueueWalk& walk);
  // The lowest priority of those of the tenant that could make room for this one.
  int Lowest(const QueuePlace& place, const Reach& reach) const;
  Reach ReachOf(Phase phase, const Tenant& tenant, ClassId device_class) const;
  bool IsBeyond(const QueuePlace& place, Reach& reach, const Tenant& tenant) const;
  Share ShareOf(Phase phase, TenantId tenant, ClassId device_class) const;
  // Whether nothing of its tenant may pass the first job of the group (quota.md, "Order").
  bool IsLock(const QueuePlace& place, const Tenant& tenant);
  // Whether nothing of the tenant may pass this group, which could not start.
  bool LocksQueue(Phase phase, const QueuePlace& head, const TenantQueue& groups,
                  const Tenant& tenant);

  // Starts the group's next job, or has devices recalled for it; false when the group is done for
  // this phase. `oldest`: of the group's ready jobs.
  bool StartNext(Phase phase, GroupId id, JobId oldest, const Tenant& tenant);
  // Its next job is provided for. Of a queue that nobody may pass in, who stood behind it may claim
  // what he owns, and who comes next is told by the next round.
  void PassHead(GroupState& state, JobId job, const Tenant& tenant);
  // When it fits nowhere: devices recalled for it, or, of an owned claim, an anchor. True:
  // recalled.
  bool MakeRoom(Phase phase, GroupState& state, JobId job, const std::vector<ClassId>& classes,
                const Tenant& tenant);
  // The group's own classes, else, in `any`, those there are.
  const std::vector<ClassId>& ClassesOf(const PendingGroup& group, std::vector<ClassId>& any) const;
  bool Recall(ReclaimScope scope, const PendingGroup& group, JobId job,
              const std::vector<ClassId>& classes);
  RoundBooks::Anchored Anchor(const PendingGroup& group, JobId job,
                              const std::vector<ClassId>& classes, Phase phase);

  bool IsRipe(absl::Time submitted_at) const { return submitted_at + policy_.borrow_age <= now_; }
  QueueAge AgeOf(JobId job, GroupId group) const {
    return {job, cluster_.GetJob(job).submitted_at, group};
  }
  // The oldest of a tenant in a queue, after `last`.
  void ListOldest(ClassId queue, const TenantQueue& groups, const QueueAge& last, AgedLine& line);
  // Those of a tenant in a queue; of one that locks its queue those that have no head before them.
  void ListAged(ClassId queue, const Tenant& tenant, const TenantQueue& groups, AgedLine& line);
  // The oldest borrow requests that have waited for long go first, and nothing may delay the first
  // that cannot start. Before anybody else borrows, in whatever queue: it may be anchored in
  // another class than that of its queue.
  void AnchorOldest();
  // `open`: queues without an anchor.
  void AnchorAged(const Aged& aged, std::vector<ClassId>& open, AgedLine& line);

  const Cluster& cluster_;
  const Policy& policy_;
  const absl::Time now_;
  RoundBooks books_;
  GroupStates states_;
  QueueWalks walks_;  // of the phase and class
  // What the group tried last was told, if it holds for those alike.
  std::optional<QueueWalk::Refusal> refusal_;
  // Of which nothing more starts in this round.
  absl::flat_hash_map<const AlikePlaces*, QueueWalk::Refusal> hopeless_;
};

}  // namespace berth

#endif  // BERTH_SCHEDULER_CORE_PLANNING_ROUND_H_
