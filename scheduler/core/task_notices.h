#ifndef BERTH_SCHEDULER_CORE_TASK_NOTICES_H_
#define BERTH_SCHEDULER_CORE_TASK_NOTICES_H_

// What running jobs tell of themselves: shown to people, and the point from which a stop loses work
// (quota.md, R3).

#include "scheduler/core/event.h"
#include "scheduler/core/step.h"

namespace berth {

// Takes what a member of a running attempt told; of several members the latest counts. A notice
// that was taken before changes nothing, nor does one of an attempt that is over.
void TakeNotice(const Step& step, const Allocation& member, const TaskNotice& notice);

// Of a session that is not the node's: ignored. A node can speak for its own members only.
void HandleNotices(const Step& step, const AgentNotices& notices);

}  // namespace berth

#endif  // BERTH_SCHEDULER_CORE_TASK_NOTICES_H_
