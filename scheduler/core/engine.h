#ifndef BERTH_SCHEDULER_CORE_ENGINE_H_
#define BERTH_SCHEDULER_CORE_ENGINE_H_

// The facade of the core: events in; plans, changes and commands to agents out. A value; owned by
// the control loop; one thread. Deterministic: the same events at the same times give the same
// results.

#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "scheduler/core/cluster.h"
#include "scheduler/core/event.h"
#include "scheduler/core/node_command.h"
#include "scheduler/core/plan.h"
#include "scheduler/core/policy.h"

namespace berth {

class Engine {
 public:
  Engine(Policy policy, uint64_t sched_epoch);

  // Before any event. Nodes with live allocations count as heard of `now`.
  void Restore(StoredState state, absl::Time now);

  // Refused events change nothing.
  absl::StatusOr<Outcome> Apply(const Actor& actor, const UserEvent& event, absl::Time now);
  void Apply(const AgentEvent& event, absl::Time now);

  // Whether a round could find something that the last one did not.
  bool PlanDue() const;
  // One round: MakePlan on the cluster, then its starts and reasons are applied.
  void RunRound(absl::Time now);

  Changes TakeChanges() { return cluster_.TakeChanges(); }
  std::vector<NodeCommand> TakeCommands();
  // When Tick would do something next.
  absl::Time NextTick() const;

  const Cluster& cluster() const { return cluster_; }
  const Policy& policy() const { return policy_; }

 private:
  friend class EngineAccess;  // tests call parts of it by themselves

  Policy policy_;
  uint64_t sched_epoch_;
  Cluster cluster_;
  std::vector<NodeCommand> commands_;
  absl::Time next_look_ = absl::InfiniteFuture();  // when time alone may change the plan
  bool look_again_ = false;
  absl::Time last_tick_ = absl::InfinitePast();
};

}  // namespace berth

#endif  // BERTH_SCHEDULER_CORE_ENGINE_H_
