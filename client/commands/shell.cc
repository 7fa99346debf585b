#include <algorithm>
#include <csignal>
#include <iterator>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/types/span.h"

#include "client/commands/commands.h"
#include "client/commands/submit.h"
#include "client/exit_codes.h"
#include "client/follow.h"
#include "client/job_rank.h"
#include "client/job_session.h"
#include "client/unreachable.h"
#include "client/views.h"
#include "common/quantity.h"
#include "common/status_macros.h"

namespace berth {
namespace {

constexpr Option kShellOptions[] = {
    Value("idle", "TIME", "ends the job when nothing goes in or out for so long (30m)"),
};

// Lower than a batch job's: people forget what they have opened.
constexpr absl::Duration kShellIdle = absl::Minutes(30);
constexpr absl::Duration kShellTime = absl::Hours(2);

// The best shell that is there.
constexpr const char* kShellWords[] = {"/bin/sh", "-c",
                                       "command -v bash >/dev/null 2>&1 && exec bash; exec sh"};
// Whether the job has been asked to stop: the file is there before the signal.
constexpr const char* kStopCheckWords[] = {"/bin/sh", "-c", "test -e \"$BERTH_STOP_FILE\""};
// Holds the devices, through the grace as well: else the end of this command would end the shell
// when it is only asked to stop. The largest number that every sleep takes.
constexpr const char* kHolderWords[] = {"/bin/sh", "-c", "trap '' TERM; exec sleep 2147483647"};

v1::EnterJobRequest MakeEntry(const JobRank& place, absl::Span<const char* const> words) {
  v1::EnterJobRequest request;
  request.set_job_id(place.job);
  request.set_rank(place.rank);
  request.mutable_command()->mutable_argv()->Assign(words.begin(), words.end());
  return request;
}

absl::StatusOr<InsideEnd> OpenShell(Context& context, const JobRank& place, JobSignals& signals) {
  v1::EnterJobRequest request = MakeEntry(place, kShellWords);
  v1::EnterJobRequest::Command& command = *request.mutable_command();
  command.set_terminal(CanPassTerminal(context, "shell"));
  return RunInJobHere(context, std::move(request), true, signals);
}

absl::StatusOr<int> EnterJob(Context& context) {
  const Arguments& arguments = context.arguments;
  RETURN_IF_ERROR(CheckWordCount(arguments, 1, 1, "the job, e.g. `berth shell 4812`"));
  for (const OptionValue& value : arguments.values) {
    const bool is_common = std::any_of(CommonOptions().begin(), CommonOptions().end(),
                                       [&](const Option& one) { return value.option == &one; });
    if (!is_common) {
      return ValueError(value, "is for a new job, and this one runs already",
                        "leave the job out for a new one: berth shell --devices 1");
    }
  }
  JobSignals signals;
  ASSIGN_OR_RETURN(ApiClient* const api, context.Api());
  ASSIGN_OR_RETURN(const JobRank place, FindJobRank(*api, arguments.words[0]));
  ASSIGN_OR_RETURN(const InsideEnd end, OpenShell(context, place, signals));
  return end.code;
}

absl::StatusOr<Submission> MakeShellJob(Context& context) {
  Arguments& arguments = context.arguments;
  if (arguments.has_dashes) {
    return ErrorAt({}, "a shell takes no command", "berth run -- COMMAND   or   berth shell -d 1");
  }
  arguments.has_dashes = true;
  arguments.after_dashes.assign(std::begin(kHolderWords), std::end(kHolderWords));
  ASSIGN_OR_RETURN(Submission submission, MakeSubmissionHere(context));
  v1::JobSpec& spec = *submission.request.mutable_spec();
  absl::Duration idle = kShellIdle;
  if (const OptionValue* const value = arguments.Find("idle"); value != nullptr) {
    ASSIGN_OR_RETURN(idle, DurationOf(*value));
  }
  spec.set_idle_ms(absl::ToInt64Milliseconds(idle));
  if (!arguments.Has("time")) {
    spec.set_time_limit_ms(absl::ToInt64Milliseconds(kShellTime));
  }
  if (!arguments.Has("name")) {
    spec.set_name("shell");
  }
  // Nobody sits at another attempt.
  if (!arguments.Has("requeue")) {
    spec.mutable_requeue()->set_on_node_fault(false);
    spec.mutable_requeue()->set_on_preempt(false);
  }
  return submission;
}

// A job of its own, from its start to its end.
class ShellJob {
 public:
  ShellJob(Context& context, ApiClient& api, FollowLimits limits, uint64_t job_id)
      : context_(context), api_(api), limits_(limits), job_id_(job_id) {}

  absl::StatusOr<int> Run(JobSignals& signals) {
    bool interrupted = false;
    absl::Status cancelled;
    signals.Start([&](int signal) {
      if (signal != 0 && signal != SIGWINCH && !std::exchange(interrupted, true)) {
        cancelled = Cancel("interrupted while it waited");
      }
    });
    std::string said;
    const auto start = AwaitStart(context_, api_, job_id_, limits_, said);
    signals.Stop();
    RETURN_IF_ERROR(cancelled);
    RETURN_IF_ERROR(start.status());
    if (IsEnded(start->job.state())) {
      return TellOfEnd(start->job);
    }
    const auto end = OpenShell(context_, {.job = job_id_, .rank = 0}, signals);
    if (!end.ok() && !IsUnreachable(end.status())) {
      RETURN_IF_ERROR(Cancel("its shell could not be opened"));
    }
    RETURN_IF_ERROR(end.status());
    return Leave(*end, signals);
  }

 private:
  absl::Status Cancel(const char* reason) {
    v1::CancelJobRequest request;
    request.set_job_id(job_id_);
    request.set_reason(reason);
    request.set_now(true);
    return api_.CancelJob(request).status();
  }

  // A shell at a terminal ignores the signal that asks a job to stop; another ends by it, before
  // the job does.
  bool IsAskedToStop(const InsideEnd& end, JobSignals& signals) {
    if (end.code != kExitSignalBase + SIGTERM) {
      return false;
    }
    const auto check = RunInJobHere(
        context_, MakeEntry({.job = job_id_, .rank = 0}, kStopCheckWords), false, signals);
    return check.ok() ? check->how == InsideEnd::How::kJob || check->code == kExitDone
                      : absl::IsFailedPrecondition(check.status());
  }

  absl::StatusOr<int> AwaitEnd() {
    v1::WaitJobRequest request;
    request.set_job_id(job_id_);
    ASSIGN_OR_RETURN(const WaitResult result, WaitForJob(api_, request, limits_, nullptr));
    return TellOfEnd(result.job);
  }

  absl::StatusOr<int> Leave(const InsideEnd& end, JobSignals& signals) {
    switch (end.how) {
      case InsideEnd::How::kCommand:
        if (IsAskedToStop(end, signals)) {
          return AwaitEnd();
        }
        if (const absl::Status status = Cancel("its shell was left"); !status.ok()) {
          context_.PrintError(status);
        }
        return end.code;
      case InsideEnd::How::kJob:
        return AwaitEnd();
      case InsideEnd::How::kSignal:
      case InsideEnd::How::kLost:
        context_.console.Err(absl::StrCat(
            "job ", job_id_, " goes on until it is idle for long enough; → berth shell ", job_id_,
            "    → berth cancel ", job_id_, "\n"));
        return end.code;
    }
    return end.code;
  }

  int TellOfEnd(const v1::Job& job) {
    TellEnd(context_, job);
    return ExitCodeOfJob(job);
  }

  Context& context_;
  ApiClient& api_;
  const FollowLimits limits_;
  const uint64_t job_id_;
};

absl::StatusOr<int> SubmitAndEnter(Context& context) {
  ASSIGN_OR_RETURN(const FollowLimits limits, FollowLimitsOf(context));
  ASSIGN_OR_RETURN(Submission submission, MakeShellJob(context));
  JobSignals signals;
  ASSIGN_OR_RETURN(ApiClient* const api, context.Api());
  ASSIGN_OR_RETURN(const auto submitted, SubmitToFollow(context, *api, submission));
  if (!submitted.has_value()) {
    return kExitDone;
  }
  const v1::SubmitJobResponse& response = *submitted;
  const v1::JobSpec& spec = submission.request.spec();
  context.console.Err(absl::StrCat(
      "job ", response.job_id(), " submitted: ends after ",
      berth::FormatDuration(absl::Milliseconds(spec.time_limit_ms())), ", or ",
      berth::FormatDuration(absl::Milliseconds(spec.idle_ms())), " without input and output\n"));
  context.PrintNotes({response.notes().begin(), response.notes().end()});
  auto code = ShellJob(context, *api, limits, response.job_id()).Run(signals);
  if (!code.ok() && IsUnreachable(code.status())) {
    context.PrintError(code.status());
    return kExitServerLost;
  }
  return code;
}

absl::StatusOr<int> RunShell(Context& context) {
  return context.arguments.words.empty() ? SubmitAndEnter(context) : EnterJob(context);
}

}  // namespace

const Command kShellCommand = {
    .name = "shell",
    .plural = nullptr,
    .group = CommandGroup::kInside,
    .summary = "a shell on devices of its own, or inside a running job",
    .usage = "[OPTIONS]\n       berth shell JOB[/RANK]",
    .examples =
        "berth shell --devices 1 --time 4h --idle 1h\n"
        "berth shell -d 1 --image registry.example/pytorch:2.5\n"
        "berth shell 4812/16\n",
    .options = kShellOptions,
    .takes_job_options = true,
    .run = RunShell,
};

}  // namespace berth
