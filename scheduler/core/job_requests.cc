#include "scheduler/core/job_requests.h"

#include <cstdint>
#include <limits>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

#include "common/error_detail.h"
#include "common/status_macros.h"
#include "scheduler/core/job_progress.h"

namespace berth {
namespace {

void CancelOne(const Step& step, const Job& job, const JobEnd& end, absl::Duration grace) {
  step.cluster.RequestCancel(job.id);
  if (IsActive(job.state)) {
    StopJob(step, job.id, end, grace);
  } else {
    step.cluster.ReplaceEnd(job.id, end);
    step.cluster.FinishJob(job.id, JobState::kCancelled, step.now);
  }
}

absl::Status TasksEnded(const Job& array, const CancelJob& request) {
  return MakeError(
      absl::StatusCode::kFailedPrecondition,
      {.code = "B4002",
       .message = absl::StrCat("of job ", array.id.value(),
                               " these tasks have already ended: ", IndexesText(request.tasks)),
       .why = "",
       .fix = "berth ps -a --tasks"});
}

absl::Status TooManyRanges(const Job& array, size_t ranges) {
  return MakeError(
      absl::StatusCode::kFailedPrecondition,
      {.code = "B4009",
       .message = absl::StrFormat(
           "job %d would have %d ranges of tasks cancelled before they started, the most is %d",
           array.id.value(), ranges, kIndexRangesMax),
       .why = "",
       .fix = "name tasks that follow each other"});
}

// The tasks that a cancel names, by what is to be done with them.
struct TaskChoice {
  CancelledTasks counts;
  std::vector<JobId> live;     // those cancelled before, too: their grace may have become shorter
  std::vector<int> unstarted;  // indexes
};

TaskChoice ChooseTasks(const Cluster& cluster, const Job& array, const CancelJob& request) {
  const ArrayRange& range = array.spec.array;
  std::map<int, JobId> live;
  for (JobId task : cluster.TasksOf(array.id)) {
    live[cluster.GetJob(task).array_index] = task;
  }
  const int64_t first_unstarted = array.tasks.next < range.count
                                      ? range.IndexAt(array.tasks.next)
                                      : std::numeric_limits<int64_t>::max();
  TaskChoice choice;
  for (int index : IndexesOf(request.tasks)) {
    if (const auto found = live.find(index); found != live.end()) {
      const Job& task = cluster.GetJob(found->second);
      int& waits_or_runs = IsActive(task.state) ? choice.counts.stopping : choice.counts.waiting;
      ++(task.cancel_requested ? choice.counts.before : waits_or_runs);
      choice.live.push_back(task.id);
    } else if (range.IsCancelled(index) || request.cancelled_before.contains(index)) {
      ++choice.counts.before;
    } else if (index < first_unstarted) {
      ++choice.counts.ended;
    } else {
      choice.unstarted.push_back(index);
      ++choice.counts.waiting;
    }
  }
  return choice;
}

// Requires: the tasks ascend.
absl::StatusOr<Outcome> CancelSome(const Step& step, const Job& array, const CancelJob& request,
                                   const JobEnd& end) {
  if (const auto strange = FindStrangeIndex(array.spec.array, request.tasks); strange.has_value()) {
    return NoSuchTask(array, *strange);
  }
  const TaskChoice choice = ChooseTasks(step.cluster, array, request);
  const absl::Duration grace = request.now ? absl::ZeroDuration() : array.spec.grace;
  if (choice.counts.stopping + choice.counts.waiting + choice.counts.before == 0) {
    return TasksEnded(array, request);
  }
  if (!choice.unstarted.empty()) {
    std::vector<IndexRange> cancelled = AddCancelled(array.spec.array, choice.unstarted);
    if (cancelled.size() > kIndexRangesMax) {
      return TooManyRanges(array, cancelled.size());
    }
    step.cluster.CancelUnstarted(array.id, std::move(cancelled), step.now);
  }
  for (JobId task : choice.live) {
    CancelOne(step, step.cluster.GetJob(task), end, grace);
  }
  const bool is_one = request.tasks.size() == 1 && request.tasks[0].count == 1;
  Outcome outcome = JobOutcome(is_one && !choice.live.empty() ? choice.live[0] : array.id);
  outcome.tasks = choice.counts;
  return outcome;
}

}  // namespace

Outcome JobOutcome(JobId id) {
  Outcome outcome;
  outcome.job = id;
  return outcome;
}

absl::Status WrongState(const Job& job, absl::string_view wanted) {
  return MakeError(
      absl::StatusCode::kFailedPrecondition,
      {.code = "B4002",
       .message = absl::StrFormat("job %d is %s, not %s", job.id.value(), Name(job.state), wanted),
       .why = "",
       .fix = absl::StrCat("berth show ", job.id.value())});
}

absl::Status NoSuchTask(const Job& job, int index) {
  return MakeError(
      absl::StatusCode::kNotFound,
      {.code = "B4001",
       .message = absl::StrCat("job ", job.id.value(), " has no task ", index),
       .why = job.is_array() ? absl::StrCat("its tasks are ", IndexesText(RangesOf(job.spec.array)))
                             : "it is no array",
       .fix = absl::StrCat("berth show ", job.id.value())});
}

absl::StatusOr<const Job*> FindChangeableJob(const Step& step, const Actor& actor, JobId id) {
  const Job* job = step.cluster.FindJob(id);
  if (job == nullptr || !actor.MaySee(job->spec.tenant)) {
    return MakeError(absl::StatusCode::kNotFound, {.code = "B4001",
                                                   .message = absl::StrCat("no job ", id.value()),
                                                   .why = "",
                                                   .fix = "berth ps -a"});
  }
  if (!MayChange(actor, *job)) {
    return MakeError(absl::StatusCode::kPermissionDenied,
                     {.code = "B7203",
                      .message = absl::StrCat("job ", id.value(), " is another user's"),
                      .why = "members may change their own jobs only",
                      .fix = "ask its owner or your tenant's admin"});
  }
  if (IsTerminal(job->state)) {
    return WrongState(*job, "live");
  }
  return job;
}

bool MayChange(const Actor& actor, const Job& job) {
  switch (actor.role) {
    case Role::kOperator:
      return true;
    case Role::kTenantAdmin:
      return actor.tenant == job.spec.tenant;
    case Role::kMember:
      return actor.tenant == job.spec.tenant && actor.user == job.spec.user;
    case Role::kAuditor:
    case Role::kNode:
      return false;
  }
  return false;
}

absl::StatusOr<Outcome> HandleRequest(const Step& step, const Actor& actor,
                                      const CancelJob& request) {
  ASSIGN_OR_RETURN(const Job* job, FindChangeableJob(step, actor, request.job));
  const JobEnd end{
      .reason = EndReason::kCancelled,
      .message = request.reason.empty()
                     ? absl::StrCat("cancelled by ", actor.user_name)
                     : absl::StrCat("cancelled by ", actor.user_name, ": ", request.reason)};
  if (!request.tasks.empty()) {
    return CancelSome(step, *job, request, end);
  }
  const absl::Duration grace = request.now ? absl::ZeroDuration() : job->spec.grace;
  if (!job->is_array()) {
    CancelOne(step, *job, end, grace);
    return JobOutcome(request.job);
  }
  const std::set<JobId> tasks = step.cluster.TasksOf(job->id);
  step.cluster.RequestCancel(job->id);
  step.cluster.ReplaceEnd(job->id, end);
  step.cluster.CancelTasks(job->id, step.now);
  for (JobId task : tasks) {
    CancelOne(step, step.cluster.GetJob(task), end, grace);
  }
  return JobOutcome(request.job);
}

absl::StatusOr<Outcome> HandleRequest(const Step& step, const Actor& actor,
                                      const HoldJob& request) {
  ASSIGN_OR_RETURN(const Job* job, FindChangeableJob(step, actor, request.job));
  if (job->state == JobState::kQueued) {
    step.cluster.SetHeld(job->id, true);
  } else if (job->state != JobState::kHeld) {
    return WrongState(*job, "queued");
  }
  return JobOutcome(request.job);
}

absl::StatusOr<Outcome> HandleRequest(const Step& step, const Actor& actor,
                                      const ReleaseJob& request) {
  ASSIGN_OR_RETURN(const Job* job, FindChangeableJob(step, actor, request.job));
  if (job->state != JobState::kHeld) {
    return WrongState(*job, "held");
  }
  step.cluster.SetHeld(job->id, false);
  return JobOutcome(request.job);
}

}  // namespace berth
