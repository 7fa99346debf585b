#include "scheduler/core/planner.h"

#include "scheduler/core/planning_round.h"

namespace berth {

Plan MakePlan(const Cluster& cluster, const Policy& policy, absl::Time now) {
  return PlanningRound(cluster, policy, now).Run();
}

}  // namespace berth
