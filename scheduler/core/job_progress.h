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

// A member's agent lists it as running, whether or not its report that it started is known.
void NoteRunning(const Step& step, AllocationId id);

// A member is gone, or its node is: frees the allocation on that evidence, and ends the attempt as
// a node fault.
void LoseMember(const Step& step, AllocationId id, ReleaseEvidence evidence,
                absl::string_view message);

// Stops every member; the attempt ends when all are released. The first reason given stays.
// `reason` is what the members are told; none: what follows from `end`.
void StopJob(const Step& step, JobId id, const JobEnd& end, absl::Duration grace,
             StopReason reason = StopReason::kNone);

// The `members` highest ranks of an elastic gang get the stop signal and `grace`; their ends do not
// end the gang, and their devices are free then. Rank 0 and the least number of nodes stay.
// Requires: the job is running.
void ShrinkJob(const Step& step, JobId id, int members, absl::Duration grace,
               absl::string_view message);

// The next attempts avoid a node that is to blame for the end of this one.
// Requires: called before the end is set; later blame is none.
void SuspectNode(const Step& step, JobId id, NodeId node);
// Suspicions that leave a job no place are forgotten, the oldest first.
void ForgetSuspects(const Step& step, const Job& job);
// The same for all pending jobs.
void ReviewSuspects(const Step& step);

// An elastic gang is giving this member back and goes on.
bool IsShrinking(const Step& step, const Allocation& allocation);

// (Again) to the node's present session.
void SendAssignment(const Step& step, AllocationId id);
void SendStart(const Step& step, AllocationId id);
void SendKill(const Step& step, AllocationId id);

}  // namespace berth

#endif  // BERTH_SCHEDULER_CORE_JOB_PROGRESS_H_
