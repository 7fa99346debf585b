// A new job: names to ids, defaults, what it waits for, and whether it can ever run.

#include <algorithm>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"

#include "common/error_detail.h"
#include "common/nearest_name.h"
#include "common/status_macros.h"
#include "scheduler/core/admission.h"
#include "scheduler/core/job_requests.h"

namespace berth {
namespace {

absl::Status Invalid(absl::string_view message, absl::string_view why, absl::string_view fix) {
  return MakeError(absl::StatusCode::kInvalidArgument,
                   {.code = "B1215", .message = message, .why = why, .fix = fix});
}

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

absl::Status CheckQueue(const Cluster& cluster, const Tenant& tenant, const ArrayRange& array) {
  if (tenant.suspended) {
    return MakeError(absl::StatusCode::kFailedPrecondition,
                     {.code = "B2201",
                      .message = absl::StrCat("tenant \"", tenant.name, "\" is suspended"),
                      .why = "it may not submit; what runs goes on",
                      .fix = "ask the center's operators"});
  }
  const int64_t pending = cluster.PendingCount(tenant.id);
  if (pending + std::max(array.count, 1) > tenant.queue_max) {
    return MakeError(absl::StatusCode::kResourceExhausted,
                     {.code = "B2202",
                      .message = absl::StrFormat(
                          "tenant \"%s\" has %d pending jobs and asks for %d more; its "
                          "queue's bound is %d",
                          tenant.name, pending, std::max(array.count, 1), tenant.queue_max),
                      .why = "",
                      .fix = "wait until some have started, or cancel some"});
  }
  return absl::OkStatus();
}

absl::Status CheckArray(const Policy& policy, const ArrayRange& array) {
  if (array.count == 0) {
    return absl::OkStatus();
  }
  if (array.count < 0 || array.count > policy.array_tasks_max) {
    return Invalid(absl::StrFormat("an array of %d tasks is not possible", array.count),
                   absl::StrFormat("an array has 1 to %d tasks", policy.array_tasks_max),
                   "submit several arrays");
  }
  if (const std::string fault = FindRangeFault(array); !fault.empty()) {
    return Invalid(fault, "indexes are 0 to 2147483647 and ascend, a step is at least 1",
                   "--array 0-99%8");
  }
  if (array.concurrent_max < 0 || array.fails_max < 0) {
    return Invalid("an array's bounds cannot be negative", "", "--array 0-99%8 --max-fails 3");
  }
  return absl::OkStatus();
}

// Finds each dependency's job, in the job's own tenant, and drops those that hold already.
// Returns the end of the job when one cannot hold.
absl::StatusOr<std::optional<JobEnd>> SettleDependencies(const Step& step, const SubmitJob& request,
                                                         JobSpec& spec) {
  std::optional<JobEnd> end;
  std::set<Dependency> undecided;
  if (static_cast<int>(spec.dependencies.size()) > step.policy.dependencies_per_job_max) {
    return Invalid(absl::StrFormat("a job may wait for %d jobs, this one for %d",
                                   step.policy.dependencies_per_job_max, spec.dependencies.size()),
                   "", "wait for a job that waits for some of them");
  }
  for (const Dependency& dependency : spec.dependencies) {
    const Job* parent = step.cluster.FindJob(dependency.job);
    const auto ended = request.ended_dependencies.find(dependency.job);
    const bool live = parent != nullptr && parent->spec.tenant == spec.tenant;
    if (!live && (parent != nullptr || ended == request.ended_dependencies.end())) {
      return MakeError(absl::StatusCode::kNotFound,
                       {.code = "B4001",
                        .message = absl::StrFormat("no job %d to wait for", dependency.job.value()),
                        .why = "a job may wait for jobs of its own tenant",
                        .fix = "berth ps -a"});
    }
    const auto holds = live ? DependencyHolds(dependency.kind, *parent)
                            : DependencyHolds(dependency.kind, ended->second);
    if (!holds.has_value()) {
      undecided.insert(dependency);
    } else if (!*holds) {
      end = DependencyEnd(dependency, live ? parent->state : ended->second);
    }
  }
  spec.dependencies.assign(undecided.begin(), undecided.end());
  return end;
}

// A job that is queued keeps the names of nodes that leave later: that excludes nothing.
absl::Status CheckExcludedNodes(const Cluster& cluster, const GangShape& gang) {
  const auto unknown = std::find_if(
      gang.excluded_nodes.begin(), gang.excluded_nodes.end(),
      [&](const std::string& name) { return cluster.FindNodeByName(name) == nullptr; });
  if (unknown == gang.excluded_nodes.end()) {
    return absl::OkStatus();
  }
  std::vector<std::string> known;
  for (const auto& [id, node] : cluster.nodes()) {
    known.push_back(node.name);
  }
  const std::string nearest = NearestName(*unknown, known);
  return MakeError(
      absl::StatusCode::kNotFound,
      {.code = "B2003",
       .message = absl::StrCat("no node \"", *unknown, "\" to exclude"),
       .why = "",
       .fix = nearest.empty() ? "berth nodes" : absl::StrCat("did you mean \"", nearest, "\"?")});
}

// Names to ids, defaults filled in.
absl::StatusOr<JobSpec> ResolveSpec(const Step& step, const Actor& actor,
                                    const SubmitJob& request) {
  const Cluster& cluster = step.cluster;
  JobSpec spec = request.spec;
  ASSIGN_OR_RETURN(const Tenant* tenant, ResolveTenant(cluster, actor, request.tenant));
  RETURN_IF_ERROR(CheckShape(step.policy, spec.gang));
  RETURN_IF_ERROR(CheckArray(step.policy, spec.array));
  RETURN_IF_ERROR(CheckQueue(cluster, *tenant, spec.array));
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

}  // namespace

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

absl::Status CheckShape(const Policy& policy, const GangShape& gang) {
  const bool fits = gang.nodes >= 1 && gang.nodes <= policy.nodes_per_job_max &&
                    gang.devices_per_node >= 0 &&
                    gang.devices_per_node <= policy.devices_per_node_max;
  if (!fits) {
    return Invalid(
        absl::StrFormat("%d nodes x %d devices is not possible", gang.nodes, gang.devices_per_node),
        absl::StrFormat("a job has 1 to %d nodes with 0 to %d devices each",
                        policy.nodes_per_job_max, policy.devices_per_node_max),
        "");
  }
  if (gang.min_nodes < 0 || gang.min_nodes > gang.nodes) {
    return Invalid(
        absl::StrFormat("at least %d of %d nodes is not possible", gang.min_nodes, gang.nodes),
        "the least number of nodes of an elastic job is 1 to its number of nodes", "");
  }
  const bool share = gang.device_share_milli != 0;
  if (gang.device_share_milli < 0 || gang.device_share_milli >= kWholeDeviceMilli ||
      (share && gang.devices() != 1)) {
    return Invalid("this share of a device is not possible",
                   "a share is 0.001 to 0.999 of one device on one node",
                   "--nodes 1 --devices 1 --device-share 0.5");
  }
  return absl::OkStatus();
}

absl::StatusOr<Outcome> HandleRequest(const Step& step, const Actor& actor,
                                      const SubmitJob& request) {
  ASSIGN_OR_RETURN(JobSpec spec, ResolveSpec(step, actor, request));
  RETURN_IF_ERROR(CheckExcludedNodes(step.cluster, spec.gang));
  ASSIGN_OR_RETURN(const auto end, SettleDependencies(step, request, spec));
  RETURN_IF_ERROR(CheckAdmission(step.cluster, spec));
  Outcome outcome;
  outcome.notes = AdmissionNotes(step.cluster, spec);
  if (end.has_value()) {
    outcome.notes.push_back(absl::StrCat("ends at once: ", end->message));
  }
  if (request.dry_run) {
    return outcome;
  }
  outcome.job = step.cluster.AddJob(std::move(spec), step.now);
  if (end.has_value()) {
    step.cluster.ReplaceEnd(outcome.job, *end);
    step.cluster.FinishJob(outcome.job, JobState::kDependencyFailed, step.now);
  }
  return outcome;
}

}  // namespace berth
