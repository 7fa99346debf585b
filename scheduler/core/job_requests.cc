#include "scheduler/core/job_requests.h"

#include <set>
#include <string>

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
