// Changes to a job that is queued already, or runs.

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "common/error_detail.h"
#include "common/status_macros.h"
#include "scheduler/core/admission.h"
#include "scheduler/core/job_progress.h"
#include "scheduler/core/job_requests.h"

namespace berth {
namespace {

std::string Text(int value) {
  return absl::StrCat(value);
}
std::string Text(bool value) {
  return value ? "yes" : "no";
}
std::string Text(absl::Duration value) {
  return absl::FormatDuration(value);
}
std::string Text(const std::string& value) {
  return absl::StrCat("\"", value, "\"");
}

template <typename Value>
void Change(Value& value, const std::optional<Value>& asked, absl::string_view what,
            std::vector<std::string>& notes) {
  if (asked.has_value() && *asked != value) {
    notes.push_back(absl::StrCat(what, ": ", Text(value), " -> ", Text(*asked)));
    value = *asked;
  }
}

std::string ClassNames(const Cluster& cluster, const std::vector<ClassId>& classes) {
  std::vector<std::string> names;
  names.reserve(classes.size());
  for (ClassId id : classes) {
    names.push_back(cluster.ClassName(id));
  }
  return names.empty() ? "any" : absl::StrJoin(names, ", ");
}

absl::Status OnlyShorter(const Job& job, absl::string_view why) {
  return MakeError(absl::StatusCode::kFailedPrecondition,
                   {.code = "B4004",
                    .message = absl::StrCat("job ", job.id.value(), " is ", Name(job.state),
                                            ": only its time limit can change, and only to less"),
                    .why = why,
                    .fix = "berth update JOB --time SHORTER"});
}

// Of a job that holds devices.
absl::Status ShortenLimit(const Step& step, const Job& job, const UpdateJob& request,
                          Outcome& outcome) {
  const bool other = request.priority.has_value() || request.nodes.has_value() ||
                     request.devices_per_node.has_value() || request.may_borrow.has_value() ||
                     request.name.has_value() || request.device_classes.has_value();
  if (job.is_array() || job.state == JobState::kStopping) {
    return WrongState(job, "pending or running");
  }
  if (other || *request.time_limit > job.spec.time_limit) {
    return OnlyShorter(job, "others have been told when its devices are free");
  }
  JobSpec spec = job.spec;
  Change(spec.time_limit, request.time_limit, "time limit", outcome.notes);
  RETURN_IF_ERROR(CheckTimes(step.policy, spec));
  if (job.attempt.started_at > absl::InfinitePast() &&
      job.attempt.started_at + spec.time_limit - spec.grace < step.now) {
    outcome.notes.push_back("it has run that long already: it is being asked to stop");
  }
  step.cluster.SetSpec(job.id, std::move(spec));
  return absl::OkStatus();
}

absl::Status ChangePending(const Step& step, const Job& job, const UpdateJob& request,
                           Outcome& outcome) {
  JobSpec spec = job.spec;
  std::vector<std::string>& notes = outcome.notes;
  Change(spec.time_limit, request.time_limit, "time limit", notes);
  Change(spec.priority, request.priority, "priority", notes);
  Change(spec.gang.nodes, request.nodes, "nodes", notes);
  Change(spec.gang.devices_per_node, request.devices_per_node, "devices per node", notes);
  Change(spec.may_borrow, request.may_borrow, "may borrow", notes);
  Change(spec.name, request.name, "name", notes);
  if (request.device_classes.has_value()) {
    ASSIGN_OR_RETURN(std::vector<ClassId> classes,
                     ResolveClasses(step.cluster, *request.device_classes));
    if (classes != spec.gang.classes) {
      notes.push_back(absl::StrCat("class: ", ClassNames(step.cluster, spec.gang.classes), " -> ",
                                   ClassNames(step.cluster, classes)));
    }
    spec.gang.classes = std::move(classes);
  }
  if (spec.gang.devices_per_node == 0) {
    spec.gang.classes.clear();
  }
  spec.gang.min_nodes = std::min(spec.gang.min_nodes, spec.gang.nodes);
  RETURN_IF_ERROR(CheckShape(step.policy, spec.gang));
  RETURN_IF_ERROR(CheckTimes(step.policy, spec));
  RETURN_IF_ERROR(CheckAdmission(step.cluster, spec));
  for (std::string& note : AdmissionNotes(step.cluster, spec)) {
    notes.push_back(std::move(note));
  }
  step.cluster.SetSpec(job.id, std::move(spec));
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Outcome> HandleRequest(const Step& step, const Actor& actor,
                                      const UpdateJob& request) {
  ASSIGN_OR_RETURN(const Job* job, FindChangeableJob(step, actor, request.job));
  Outcome outcome = JobOutcome(request.job);
  const bool active = IsActive(job->state);
  if (active && !request.time_limit.has_value()) {
    return OnlyShorter(*job, "it holds its devices as they are");
  }
  RETURN_IF_ERROR(active ? ShortenLimit(step, *job, request, outcome)
                         : ChangePending(step, *job, request, outcome));
  if (outcome.notes.empty()) {
    outcome.notes.push_back("it was so already");
  }
  return outcome;
}

absl::StatusOr<Outcome> HandleRequest(const Step& step, const Actor& actor,
                                      const RequeueRunningJob& request) {
  ASSIGN_OR_RETURN(const Job* job, FindChangeableJob(step, actor, request.job));
  if (job->is_array() || !IsActive(job->state) || job->state == JobState::kStopping) {
    return WrongState(*job, "running");
  }
  const std::string by = absl::StrCat("requeued by ", actor.user_name);
  StopJob(step, job->id,
          {.reason = EndReason::kAdmin,
           .message = request.reason.empty() ? by : absl::StrCat(by, ": ", request.reason)},
          job->spec.grace);
  return JobOutcome(request.job);
}

absl::StatusOr<Outcome> HandleRequest(const Step& step, const Actor& actor,
                                      const NoteCheckpoint& request) {
  ASSIGN_OR_RETURN(const Job* job, FindChangeableJob(step, actor, request.job));
  if (job->is_array() || job->attempt.started_at == absl::InfinitePast() || !IsActive(job->state)) {
    return WrongState(*job, "running");
  }
  // The clock of a node may be ahead.
  const absl::Time at = std::min(request.at, step.now);
  if (at > std::max(job->attempt.checkpoint_at, job->attempt.started_at)) {
    step.cluster.SetCheckpoint(job->id, at);
  }
  return JobOutcome(request.job);
}

}  // namespace berth
