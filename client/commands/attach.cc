#include "absl/strings/str_cat.h"

#include "client/commands/commands.h"
#include "client/commands/submit.h"
#include "client/exit_codes.h"
#include "client/follow.h"
#include "client/job_input.h"
#include "client/job_rank.h"
#include "client/terminal_text.h"
#include "client/text.h"
#include "client/unreachable.h"
#include "client/views.h"
#include "common/status_macros.h"

namespace berth {
namespace {

constexpr int64_t kTailLines = 20;

constexpr Option kAttachOptions[] = {
    Flag("raw", "what the job writes, byte for byte, at a terminal, too"),
    Flag("no-stdin", "only show: pass nothing in, not even the end of the input here"),
};

// Nothing that is typed into a shell is in its job's log.
void TellOfShell(Context& context, const v1::GetJobResponse& known) {
  if (known.spec().idle_ms() > 0 && !IsEnded(known.job().state())) {
    context.PrintNotes({absl::StrCat("job ", known.job().id(),
                                     " is a shell's, of which nothing is seen here; berth shell ",
                                     known.job().id(), " opens another in it")});
  }
}

// Whether what is typed here goes to the job: rank 0 alone reads it, now or once it runs.
bool TakesInput(const Context& context, const JobRank& place, const v1::GetJobResponse& known) {
  return known.spec().open_stdin() && place.rank <= 0 && !context.arguments.Has("no-stdin") &&
         !known.job().has_array() && !IsEnded(known.job().state());
}

// What is typed before somebody reads it waits here.
absl::Status AwaitReader(Context& context, ApiClient& api, const v1::Job& job,
                         const FollowLimits& limits) {
  const v1::JobState state = job.state();
  const bool waits = state == v1::JOB_STATE_QUEUED || state == v1::JOB_STATE_HELD ||
                     state == v1::JOB_STATE_DISPATCHING || state == v1::JOB_STATE_STARTING;
  std::string said;
  return waits ? AwaitStart(context, api, job.id(), limits, said).status() : absl::OkStatus();
}

// As `berth run` does from the moment that the job runs. The log is what a job's processes write
// to.
absl::StatusOr<int> RunAttach(Context& context) {
  RETURN_IF_ERROR(CheckWordCount(context.arguments, 1, 1, "the job, e.g. `berth attach 4812`"));
  ASSIGN_OR_RETURN(const FollowLimits limits, FollowLimitsOf(context));
  ASSIGN_OR_RETURN(ApiClient* const api, context.Api());
  ASSIGN_OR_RETURN(const JobRank place, FindJobRank(*api, context.arguments.words[0]));
  v1::GetJobRequest asked;
  asked.set_job_id(place.job);
  asked.set_with_spec(true);
  ASSIGN_OR_RETURN(const v1::GetJobResponse known, api->GetJob(asked));
  TellOfShell(context, known);
  JobInput input(context, *api);
  absl::Status status;
  if (TakesInput(context, place, known)) {
    status = AwaitReader(context, *api, known.job(), limits);
    if (status.ok()) {
      input.Start(place.job);
    }
  }
  v1::StreamLogsRequest request;
  request.set_job_id(place.job);
  request.set_attempt(-1);
  request.set_rank(place.rank);
  request.set_follow(true);
  request.set_tail_lines(kTailLines);
  TerminalText terminal(context.arguments.Has("raw") || !context.console.out_is_terminal());
  if (status.ok()) {
    status = CopyLog(*api, request, limits, [&](const std::string& data) {
      context.console.Out(terminal.Pass(data));
      context.console.Flush();
    });
  }
  input.Stop();
  context.console.Out(terminal.End());
  if (IsUnreachable(status)) {
    context.PrintError(status);
    return kExitServerLost;
  }
  RETURN_IF_ERROR(status);
  v1::WaitJobRequest wait;
  wait.set_job_id(place.job);
  const auto result = WaitForJob(*api, wait, limits, nullptr);
  if (!result.ok() && IsUnreachable(result.status())) {
    context.PrintError(result.status());
    return kExitServerLost;
  }
  RETURN_IF_ERROR(result.status());
  context.console.Err(
      absl::StrCat("job ", place.job, " ", CleanText(StateSummary(result->job)), "\n"));
  return ExitCodeOfJob(result->job);
}

}  // namespace

const Command kAttachCommand = {
    .name = "attach",
    .plural = nullptr,
    .group = CommandGroup::kInside,
    .summary = "follow a job's output to its end, pass input in, exit with its code",
    .usage =
        "JOB[/RANK] [OPTIONS]\n"
        "Input goes to rank 0 of a job with --stdin, and ends with the input here.",
    .examples =
        "berth attach 4812\n"
        "echo stop | berth attach last\n"
        "berth attach 4812/16\n",
    .options = kAttachOptions,
    .takes_job_options = false,
    .run = RunAttach,
};

}  // namespace berth
