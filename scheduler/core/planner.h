#ifndef BERTH_SCHEDULER_CORE_PLANNER_H_
#define BERTH_SCHEDULER_CORE_PLANNER_H_

// One round: order, limits, placement, and the reasons of those that stay behind.

#include "absl/time/time.h"

#include "scheduler/core/cluster.h"
#include "scheduler/core/plan.h"
#include "scheduler/core/policy.h"

namespace berth {

// A function of its arguments. Starts are consistent with each other: applied in order to the same
// cluster they keep every limit and give no device twice.
Plan MakePlan(const Cluster& cluster, const Policy& policy, absl::Time now);

}  // namespace berth

#endif  // BERTH_SCHEDULER_CORE_PLANNER_H_
