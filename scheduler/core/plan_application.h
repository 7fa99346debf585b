#ifndef BERTH_SCHEDULER_CORE_PLAN_APPLICATION_H_
#define BERTH_SCHEDULER_CORE_PLAN_APPLICATION_H_

// Makes a plan come true: starts, nominations, and what is given back for them.

#include "scheduler/core/plan.h"
#include "scheduler/core/step.h"

namespace berth {

// Requires: the plan was made from this very state of the cluster.
void ApplyPlan(const Step& step, Plan plan);

}  // namespace berth

#endif  // BERTH_SCHEDULER_CORE_PLAN_APPLICATION_H_
