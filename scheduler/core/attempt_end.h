#ifndef BERTH_SCHEDULER_CORE_ATTEMPT_END_H_
#define BERTH_SCHEDULER_CORE_ATTEMPT_END_H_

// What an agent's report of a task means for the attempt that the task belongs to.

#include <optional>

#include "scheduler/core/cluster.h"
#include "scheduler/core/event.h"

namespace berth {

// How the attempt ends because of this report; nothing for a clean exit of one member.
std::optional<JobEnd> EndOf(const Cluster& cluster, const Allocation& allocation,
                            const TaskReport& report);

}  // namespace berth

#endif  // BERTH_SCHEDULER_CORE_ATTEMPT_END_H_
