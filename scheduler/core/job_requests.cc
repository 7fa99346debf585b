#include "scheduler/core/job_requests.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"

#include "common/error_detail.h"
#include "common/status_macros.h"
#include "scheduler/core/admission.h"
#include "scheduler/core/job_progress.h"

namespace berth {
namespace {

absl::StatusOr<const Tenant*> ResolveTenant(const Cluster& cluster, const Actor& actor,
                                            absl::string_view name) {
  if (!actor.IsCenter()) {
    const Tenant* own = cluster.quota().FindTenant(actor.tenant);
    if (!name.empty() && own->name != name) {
      return MakeError(absl::StatusCode::kPermissionDenied,
                       {.code = "B7202",
                        .message = "only an operator may submit for another tenant",
                        .why = absl::StrCat("your token belongs to tenant \"", own->name, "\""),
                        .fix = "leave out --tenant"});
    }
    return own;
  }
  const Tenant* tenant = cluster.quota().FindTenantByName(name.empty() ? kCenterTenant : name);
  if (tenant == nullptr) {
    return MakeError(absl::StatusCode::kNotFound,
                     {.code = "B2001",
                      .message = absl::StrCat("no tenant \"", name, "\""),
                      .why = "",
                      .fix = "berth tenant list"});
  }
  return tenant;
}

absl::StatusOr<std::vector<ClassId>> ResolveClasses(const Cluster& cluster,
                                                    const std::vector<std::string>& names) {
  std::vector<ClassId> classes;
  for (const std::string& name : names) {
    const auto id = cluster.FindClass(name);
    if (!id.has_value()) {
      std::vector<std::string> known;
      for (const auto& [class_id, class_name] : cluster.classes()) {
        known.push_back(class_name);
      }
      return WithDetail(absl::FailedPreconditionError(
                            absl::StrCat("no device class \"", name, "\" in this center")),
                        {.code = "B3302",
                         .why = {absl::StrCat("known classes: ", absl::StrJoin(known, ", "))},
                         .fix = {"berth nodes"},
                         .refused_by_entitlement = true});
    }
    classes.push_back(*id);
  }
  return classes;
}

absl::Status CheckQueue(const Cluster& cluster, const Tenant& tenant) {
  if (tenant.suspended) {
    return MakeError(absl::StatusCode::kFailedPrecondition,
                     {.code = "B2201",
                      .message = absl::StrCat("tenant \"", tenant.name, "\" is suspended"),
                      .why = "it may not submit; what runs goes on",
                      .fix = "ask the center's operators"});
  }
  if (cluster.PendingCount(tenant.id) >= tenant.queue_max) {
    return MakeError(
        absl::StatusCode::kResourceExhausted,
        {.code = "B2202",
         .message = absl::StrFormat("tenant \"%s\" has %d pending jobs, its queue's bound",
                                    tenant.name, tenant.queue_max),
         .why = "",
         .fix = "wait until some have started, or cancel some"});
  }
  return absl::OkStatus();
}

absl::Status CheckTimes(const Policy& policy, const JobSpec& spec) {
  if (spec.time_limit > absl::ZeroDuration() && spec.time_limit <= policy.time_limit_max &&
      spec.grace < spec.time_limit) {
    return absl::OkStatus();
  }
  return MakeError(
      absl::StatusCode::kInvalidArgument,
      {.code = "B1211",
       .message = absl::StrCat("time limit ", absl::FormatDuration(spec.time_limit), " with grace ",
                               absl::FormatDuration(spec.grace), " is not possible"),
       .why = absl::StrCat("the limit is above the grace and at most ",
                           absl::FormatDuration(policy.time_limit_max)),
       .fix = ""});
}

// Names to ids, defaults filled in.
absl::StatusOr<JobSpec> ResolveSpec(const Step& step, const Actor& actor,
                                    const SubmitJob& request) {
  const Cluster& cluster = step.cluster;
  JobSpec spec = request.spec;
  ASSIGN_OR_RETURN(const Tenant* tenant, ResolveTenant(cluster, actor, request.tenant));
  RETURN_IF_ERROR(CheckQueue(cluster, *tenant));
  spec.tenant = tenant->id;
  spec.user = actor.user;
  const std::string project_name = request.project.empty() ? kDefaultProject : request.project;
  const Project* project = cluster.quota().FindProjectByName(tenant->id, project_name);
  if (project == nullptr) {
    return MakeError(absl::StatusCode::kNotFound,
                     {.code = "B2002",
                      .message = absl::StrFormat("tenant \"%s\" has no project \"%s\"",
                                                 tenant->name, project_name),
                      .why = "",
                      .fix = "berth project list"});
  }
  spec.project = project->id;
  ASSIGN_OR_RETURN(spec.gang.classes, ResolveClasses(cluster, request.device_classes));
  if (spec.gang.devices_per_node == 0) {
    spec.gang.classes.clear();
  }
  if (spec.time_limit == absl::ZeroDuration()) {
    spec.time_limit = tenant->default_time_limit;
  }
  if (spec.grace == absl::ZeroDuration()) {
    spec.grace = std::min(step.policy.grace_default_max, spec.time_limit / 4);
  }
  RETURN_IF_ERROR(CheckTimes(step.policy, spec));
  return spec;
}

absl::StatusOr<const Job*> FindChangeable(const Step& step, const Actor& actor, JobId id) {
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
  return job;
}

absl::Status WrongState(const Job& job, absl::string_view wanted) {
  return MakeError(
      absl::StatusCode::kFailedPrecondition,
      {.code = "B4002",
       .message = absl::StrFormat("job %d is %s, not %s", job.id.value(), Name(job.state), wanted),
       .why = "",
       .fix = absl::StrCat("berth show ", job.id.value())});
}

Outcome JobOutcome(JobId id) {
  Outcome outcome;
  outcome.job = id;
  return outcome;
}

}  // namespace

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
                                      const SubmitJob& request) {
  ASSIGN_OR_RETURN(JobSpec spec, ResolveSpec(step, actor, request));
  RETURN_IF_ERROR(CheckAdmission(step.cluster, spec));
  Outcome outcome;
  outcome.notes = AdmissionNotes(step.cluster, spec);
  if (!request.dry_run) {
    outcome.job = step.cluster.AddJob(std::move(spec), step.now);
  }
  return outcome;
}

absl::StatusOr<Outcome> HandleRequest(const Step& step, const Actor& actor,
                                      const CancelJob& request) {
  ASSIGN_OR_RETURN(const Job* job, FindChangeable(step, actor, request.job));
  const JobEnd end{
      .reason = EndReason::kCancelled,
      .message = request.reason.empty()
                     ? absl::StrCat("cancelled by ", actor.user_name)
                     : absl::StrCat("cancelled by ", actor.user_name, ": ", request.reason)};
  step.cluster.RequestCancel(job->id);
  if (IsActive(job->state)) {
    StopJob(step, job->id, end, request.now ? absl::ZeroDuration() : job->spec.grace);
  } else {
    step.cluster.ReplaceEnd(job->id, end);
    step.cluster.FinishJob(job->id, JobState::kCancelled, step.now);
  }
  return JobOutcome(request.job);
}

absl::StatusOr<Outcome> HandleRequest(const Step& step, const Actor& actor,
                                      const HoldJob& request) {
  ASSIGN_OR_RETURN(const Job* job, FindChangeable(step, actor, request.job));
  if (job->state == JobState::kQueued) {
    step.cluster.SetHeld(job->id, true);
  } else if (job->state != JobState::kHeld) {
    return WrongState(*job, "queued");
  }
  return JobOutcome(request.job);
}

absl::StatusOr<Outcome> HandleRequest(const Step& step, const Actor& actor,
                                      const ReleaseJob& request) {
  ASSIGN_OR_RETURN(const Job* job, FindChangeable(step, actor, request.job));
  if (job->state != JobState::kHeld) {
    return WrongState(*job, "held");
  }
  step.cluster.SetHeld(job->id, false);
  return JobOutcome(request.job);
}

}  // namespace berth
