#ifndef BERTH_SCHEDULER_CORE_JOB_PROGRESS_H_
#define BERTH_SCHEDULER_CORE_JOB_PROGRESS_H_

// The life of an attempt from its dispatch to its end: what a gang does when one of its members
// gets somewhere. Gangs are all or nothing: no command starts before all are prepared, a member
// that fails ends all.

#include <string>

#include "absl/strings/string_view.h"

#include "scheduler/core/event.h"
#include "scheduler/core/plan.h"
#include "scheduler/core/step.h"

namespace berth {

// Queued -> dispatched: makes the allocations and sends the assignments. An array's start is its
// next task's. Returns the job that started.
JobId DispatchJob(const Step& step, const Start& start);

// Applies a member's report. Reports about what is over already are ignored.
void ApplyReport(const Step& step, const TaskReport& report);

// A member is gone, or its node is: frees the allocation on that evidence, and ends the attempt as
// a node fault.
void LoseMember(const Step& step, AllocationId id, ReleaseEvidence evidence,
                absl::string_view message);

// Stops every member; the attempt ends when all are released. The first reason given stays.
void StopJob(const Step& step, JobId id, const JobEnd& end, absl::Duration grace);

// (Again) to the node's present session.
void SendAssignment(const Step& step, AllocationId id);
void SendStart(const Step& step, AllocationId id);
void SendKill(const Step& step, AllocationId id);

}  // namespace berth

#endif  // BERTH_SCHEDULER_CORE_JOB_PROGRESS_H_
