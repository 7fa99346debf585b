#include "client/commands/submit.h"

#include <algorithm>
#include <climits>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

#include "client/array_options.h"
#include "client/commands/commands.h"
#include "client/exit_codes.h"
#include "client/explanation_text.h"
#include "client/follow.h"
#include "client/job_ids.h"
#include "client/text.h"
#include "client/unreachable.h"
#include "client/views.h"
#include "client/workdir_upload.h"
#include "common/status_macros.h"
#include <unistd.h>

namespace berth {
namespace {

// A lost reply or a restarting scheduler neither loses nor doubles a job: the key stays the same.
constexpr Patience kSubmitPatience = {.attempt = absl::Seconds(3), .total = absl::Seconds(10)};

std::string WorkingFolder() {
  char folder[PATH_MAX];
  return getcwd(folder, sizeof folder) == nullptr ? "/" : folder;
}

// "100 tasks, 8 at a time, each " of an array; nothing of another job.
std::string TasksText(const v1::ArraySpec& array) {
  const int64_t count = CountTasks(array);
  if (count == 0) {
    return "";
  }
  return absl::StrCat(
      count, count == 1 ? " task, " : " tasks, ",
      array.concurrent_max() == 0 ? "" : absl::StrCat(array.concurrent_max(), " at a time, "),
      "each ");
}

// What would become of the job: 0 starts now, 10 will wait, 6 never.
absl::StatusOr<int> Plan(Context& context, ApiClient& api, const Submission& submission) {
  v1::ExplainJobRequest request;
  *request.mutable_submit() = submission.request;
  ASSIGN_OR_RETURN(const v1::ExplainJobResponse response, api.ExplainJob(request));
  const v1::Explanation& plan = response.explanation();
  const v1::JobSpec& spec = submission.request.spec();
  if (context.output.for_people()) {
    context.console.Out(PlanText(plan, spec.name(), TasksText(spec.array()), absl::Now()));
  } else {
    Listing listing{.kind = "ExplanationList", .columns = {}, .rows = {}, .name_field = "verdict"};
    listing.rows.push_back({.json = ExplanationJson(plan), .cells = {}});
    RETURN_IF_ERROR(context.Print(listing));
  }
  switch (plan.verdict()) {
    case v1::Explanation::VERDICT_STARTS_NOW:
      return kExitDone;
    case v1::Explanation::VERDICT_NEVER:
      return kExitRefusedByEntitlement;
    default:
      return kExitWillWait;
  }
}

// Puts the jobs of --after into the request: `last` and `@name` ask the scheduler.
absl::Status FindDependencies(ApiClient& api, Submission& submission) {
  for (const NamedDependency& named : submission.after) {
    ASSIGN_OR_RETURN(const std::vector<uint64_t> ids, FindJobIds(api, {named.jobs}));
    for (const uint64_t id : ids) {
      v1::Dependency& dependency = *submission.request.mutable_spec()->add_dependencies();
      dependency.set_kind(named.kind);
      dependency.set_job_id(id);
    }
  }
  return absl::OkStatus();
}

// Uploads the submission's folder, if it has one, says how much of it was sent, and puts it into
// the request. `only_look`: says what stands in the way of that, and uploads nothing.
absl::Status UploadWorkdir(Context& context, ApiClient& api, Submission& submission,
                           bool only_look) {
  if (submission.upload_folder.empty()) {
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(const ScannedFolder folder,
                   ScanFolder(submission.upload_folder, submission.upload_bytes_max));
  std::vector<std::string> notes;
  for (const std::string& path : folder.skipped) {
    notes.push_back(absl::StrCat("not uploaded: ", CleanText(path), " is no file"));
  }
  context.PrintNotes(notes);
  if (only_look) {
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(
      const UploadResult result,
      UploadFolder(api, folder, submission.request.on_behalf_of_tenant(), kSubmitPatience));
  context.console.Err(absl::StrCat(UploadText(result, folder), "\n"));
  submission.request.mutable_spec()->set_workdir_sha256(result.sha256);
  return absl::OkStatus();
}

// The answer to a submission, in the form that the command line asks for.
absl::Status PrintSubmitted(Context& context, const Submission& submission,
                            const v1::SubmitJobResponse& response) {
  const v1::JobSpec& spec = submission.request.spec();
  if (context.arguments.Has("parsable")) {
    context.console.Out(response.job_id() == 0 ? "" : absl::StrCat(response.job_id(), "\n"));
    return absl::OkStatus();
  }
  if (!context.output.for_people()) {
    Listing listing{.kind = "SubmissionList", .columns = {}, .rows = {}, .name_field = "id"};
    Json json{
        {"id", response.job_id() == 0 ? Json() : Json(response.job_id())}
    };
    json["name"] = spec.name();
    json["existing"] = response.existing();
    json["dry_run"] = submission.request.dry_run();
    json["notes"] = std::vector<std::string>(response.notes().begin(), response.notes().end());
    listing.rows.push_back({.json = json, .cells = {}});
    return context.Print(listing);
  }
  const std::string what =
      absl::StrCat(CleanText(spec.name()), ", ", TasksText(spec.array()), ShapeText(spec.gang()));
  if (submission.request.dry_run()) {
    context.console.Out(absl::StrCat("would be accepted: ", what, "; nothing was submitted\n"));
  } else {
    context.console.Out(
        absl::StrCat("job ", response.job_id(),
                     response.existing() ? " exists already: " : " submitted: ", what, "\n"));
    context.console.Hint(absl::StrCat("→ berth show ", response.job_id(), "    → berth logs -f ",
                                      response.job_id(), "\n"));
  }
  return absl::OkStatus();
}

// The job's own exit code.
absl::StatusOr<int> AwaitEnd(Context& context, ApiClient& api, uint64_t job_id) {
  context.console.Flush();
  FollowLimits limits;
  ASSIGN_OR_RETURN(limits.reconnect_for, context.ReconnectFor());
  v1::WaitJobRequest request;
  request.set_job_id(job_id);
  const auto result = WaitForJob(api, request, limits, nullptr);
  if (!result.ok() && IsUnreachable(result.status())) {
    context.PrintError(result.status());
    return kExitServerLost;
  }
  RETURN_IF_ERROR(result.status());
  return ExitCodeOfJob(result->job);
}

absl::StatusOr<int> RunSubmit(Context& context) {
  ASSIGN_OR_RETURN(Submission submission, MakeSubmissionHere(context));
  return Submit(context, std::move(submission));
}

}  // namespace

absl::StatusOr<int> Submit(Context& context, Submission submission) {
  Patience patience = kSubmitPatience;
  if (const OptionValue* const value = context.arguments.Find("timeout"); value != nullptr) {
    ASSIGN_OR_RETURN(patience.total, DurationOf(*value));
  }
  ASSIGN_OR_RETURN(ApiClient* const api, context.Api());
  RETURN_IF_ERROR(FindDependencies(*api, submission));
  RETURN_IF_ERROR(UploadWorkdir(context, *api, submission,
                                context.arguments.Has("plan") || submission.request.dry_run()));
  if (context.arguments.Has("plan")) {
    return Plan(context, *api, submission);
  }
  ASSIGN_OR_RETURN(const v1::SubmitJobResponse response,
                   api->SubmitJob(submission.request, patience));
  RETURN_IF_ERROR(PrintSubmitted(context, submission, response));
  context.PrintNotes({response.notes().begin(), response.notes().end()});
  if (!context.arguments.Has("wait") || submission.request.dry_run()) {
    return kExitDone;
  }
  return AwaitEnd(context, *api, response.job_id());
}

SubmissionSource SourceHere(const Context& context) {
  return {.folder = WorkingFolder(),
          .project = context.settings.project,
          .environment = &context.environment};
}

absl::StatusOr<Submission> MakeSubmissionHere(Context& context) {
  ASSIGN_OR_RETURN(Submission submission, MakeSubmission(context.arguments, SourceHere(context)));
  context.PrintNotes(submission.notes);
  return submission;
}

absl::StatusOr<std::optional<v1::SubmitJobResponse>> SubmitToFollow(Context& context,
                                                                    ApiClient& api,
                                                                    Submission& submission) {
  const bool dry_run = submission.request.dry_run();
  RETURN_IF_ERROR(FindDependencies(api, submission));
  RETURN_IF_ERROR(UploadWorkdir(context, api, submission, dry_run));
  ASSIGN_OR_RETURN(v1::SubmitJobResponse response,
                   api.SubmitJob(submission.request, kSubmitPatience));
  if (dry_run) {
    context.console.Err("the job would be accepted; nothing was submitted\n");
    return std::nullopt;
  }
  return response;
}

absl::StatusOr<WaitResult> AwaitStart(Context& context, ApiClient& api, uint64_t job_id,
                                      const FollowLimits& limits, std::string& said) {
  const auto say_reason = [&](const v1::Job& job) {
    const std::string& reason = job.reason().message();
    if (!reason.empty() && reason != said) {
      said = reason;
      context.console.Err(absl::StrCat("waiting: ", CleanText(reason), "\n"));
    }
  };
  v1::WaitJobRequest request;
  request.set_job_id(job_id);
  request.set_until(v1::WaitJobRequest::UNTIL_STARTED);
  // A short first look, so that the reason is told soon.
  FollowLimits first = limits;
  first.deadline = std::min(limits.deadline, absl::Now() + absl::Seconds(2));
  ASSIGN_OR_RETURN(const WaitResult result, WaitForJob(api, request, first, nullptr));
  if (result.done || first.deadline == limits.deadline) {
    return result;
  }
  say_reason(result.job);
  return WaitForJob(api, request, limits, say_reason);
}

void TellEnd(Context& context, const v1::Job& job) {
  if (job.state() == v1::JOB_STATE_SUCCEEDED) {
    return;
  }
  const std::string& message = job.end().message();
  context.console.Err(absl::StrCat("job ", job.id(), " ", StateSummary(job),
                                   message.empty() ? "" : ": ", CleanText(message), "\n"));
  if (job.end().failed_rank() > 0) {
    context.console.Hint(
        absl::StrCat("→ berth logs ", job.id(), " --rank ", job.end().failed_rank(), "\n"));
  }
}

const Command kSubmitCommand = {
    .name = "submit",
    .plural = nullptr,
    .group = CommandGroup::kRun,
    .summary = "queue a job and print its id",
    .usage =
        "FILE [OPTIONS] [-- ARGUMENTS]\n"
        "       berth submit [OPTIONS] -- COMMAND ARGUMENTS\n"
        "FILE is a script, or a specification as `berth show JOB --spec` prints it.",
    .examples =
        "berth submit train.sh\n"
        "berth submit -N 2 -d 8 --class nvidia-h800-80g -t 36h -- torchrun train.py\n"
        "berth submit --array %4 --matrix lr=1e-4,3e-4 --matrix seed=1..3 sweep.sh\n",
    .options = kSubmitOptions,
    .takes_job_options = true,
    .run = RunSubmit,
};

}  // namespace berth
