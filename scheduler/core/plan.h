#ifndef BERTH_SCHEDULER_CORE_PLAN_H_
#define BERTH_SCHEDULER_CORE_PLAN_H_

// The result of one planning round: who starts where, and why the others do not.

#include <map>
#include <vector>

#include "scheduler/core/allocation.h"
#include "scheduler/core/ids.h"
#include "scheduler/core/job.h"
#include "scheduler/core/pending_reason.h"

namespace berth {

struct Placement {
  NodeId node;
  std::vector<DeviceShare> devices;
};

struct Start {
  JobId job;
  ClassId device_class;  // none: a job without devices
  Funding funding = Funding::kNone;
  std::vector<Placement> members;  // by rank
};

struct Plan {
  std::vector<Start> starts;  // in the order decided
  // Of the groups that could not (all) start. The other groups keep theirs.
  std::map<GroupKey, PendingReason> reasons;
};

}  // namespace berth

#endif  // BERTH_SCHEDULER_CORE_PLAN_H_
