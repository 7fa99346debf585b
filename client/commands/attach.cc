#include "absl/strings/str_cat.h"

#include "client/commands/commands.h"
#include "client/exit_codes.h"
#include "client/follow.h"
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
};

// Nothing that is typed into a shell is in its job's log.
absl::Status TellOfShell(Context& context, ApiClient& api, uint64_t job_id) {
  v1::GetJobRequest request;
  request.set_job_id(job_id);
  request.set_with_spec(true);
  ASSIGN_OR_RETURN(const v1::GetJobResponse response, api.GetJob(request));
  if (response.spec().idle_ms() > 0 && !IsEnded(response.job().state())) {
    context.PrintNotes(
        {absl::StrCat("job ", job_id, " is a shell's, of which nothing is seen here; ",
                      "berth shell ", job_id, " opens another in it")});
  }
  return absl::OkStatus();
}

// As `berth run` does from the moment that the job runs. The log is what a job's processes write
// to; they read from nothing.
absl::StatusOr<int> RunAttach(Context& context) {
  RETURN_IF_ERROR(CheckWordCount(context.arguments, 1, 1, "the job, e.g. `berth attach 4812`"));
  ASSIGN_OR_RETURN(const FollowLimits limits, FollowLimitsOf(context));
  ASSIGN_OR_RETURN(ApiClient* const api, context.Api());
  ASSIGN_OR_RETURN(const JobRank place, FindJobRank(*api, context.arguments.words[0]));
  RETURN_IF_ERROR(TellOfShell(context, *api, place.job));
  v1::StreamLogsRequest request;
  request.set_job_id(place.job);
  request.set_attempt(-1);
  request.set_rank(place.rank);
  request.set_follow(true);
  request.set_tail_lines(kTailLines);
  TerminalText terminal(context.arguments.Has("raw") || !context.console.out_is_terminal());
  const absl::Status status = CopyLog(*api, request, limits, [&](const std::string& data) {
    context.console.Out(terminal.Pass(data));
    context.console.Flush();
  });
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
    .summary = "follow a job's output to its end, take no input, exit with its code",
    .usage = "JOB[/RANK] [--raw]",
    .examples =
        "berth attach 4812\n"
        "berth attach last\n"
        "berth attach 4812/16\n",
    .options = kAttachOptions,
    .takes_job_options = false,
    .run = RunAttach,
};

}  // namespace berth
