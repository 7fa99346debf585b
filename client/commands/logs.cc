#include "absl/strings/str_cat.h"

#include "client/commands/commands.h"
#include "client/exit_codes.h"
#include "client/follow.h"
#include "client/job_ids.h"
#include "client/text.h"
#include "client/views.h"
#include "common/status_macros.h"

namespace berth {
namespace {

constexpr int64_t kRankMax = 262'144;
constexpr int64_t kLinesMax = 100'000'000;

constexpr Option kOptions[] = {
    Flag("follow", "go on until the job ends", 'f'),
    Value("rank", "N", "of this rank (the first that failed, else 0)"),
    Value("attempt", "N", "of this attempt, from 0 (the newest)"),
    Value("tail", "N", "only the last N lines"),
};

absl::StatusOr<v1::StreamLogsRequest> MakeRequest(const Arguments& arguments, uint64_t job_id) {
  v1::StreamLogsRequest request;
  request.set_job_id(job_id);
  request.set_follow(arguments.Has("follow"));
  request.set_rank(-1);
  request.set_attempt(-1);
  request.set_tail_lines(-1);
  if (const OptionValue* const value = arguments.Find("rank"); value != nullptr) {
    ASSIGN_OR_RETURN(const int64_t rank, IntegerOf(*value, 0, kRankMax));
    request.set_rank(static_cast<int32_t>(rank));
  }
  if (const OptionValue* const value = arguments.Find("attempt"); value != nullptr) {
    ASSIGN_OR_RETURN(const int64_t attempt, IntegerOf(*value, 0, INT32_MAX));
    request.set_attempt(static_cast<int32_t>(attempt));
  }
  if (const OptionValue* const value = arguments.Find("tail"); value != nullptr) {
    ASSIGN_OR_RETURN(const int64_t lines, IntegerOf(*value, 0, kLinesMax));
    request.set_tail_lines(lines);
  }
  return request;
}

// Following a job that waits begins at its start.
absl::Status AwaitStart(Context& context, ApiClient& api, uint64_t job_id,
                        const FollowLimits& limits) {
  v1::GetJobRequest get;
  get.set_job_id(job_id);
  ASSIGN_OR_RETURN(const v1::GetJobResponse response, api.GetJob(get));
  const v1::JobState state = response.job().state();
  if (state != v1::JOB_STATE_QUEUED && state != v1::JOB_STATE_HELD &&
      state != v1::JOB_STATE_DISPATCHING && state != v1::JOB_STATE_STARTING) {
    return absl::OkStatus();
  }
  const std::string& reason = response.job().reason().message();
  context.console.Err(absl::StrCat("job ", job_id, " is ", JobStateWord(state),
                                   reason.empty() ? "" : ": ", CleanText(reason), "\n"));
  v1::WaitJobRequest request;
  request.set_job_id(job_id);
  request.set_until(v1::WaitJobRequest::UNTIL_STARTED);
  return WaitForJob(api, request, limits, nullptr).status();
}

absl::StatusOr<int> RunLogs(Context& context) {
  RETURN_IF_ERROR(CheckWordCount(context.arguments, 1, 1, "the job, e.g. `berth logs -f 4812`"));
  ASSIGN_OR_RETURN(ApiClient* const api, context.Api());
  ASSIGN_OR_RETURN(const uint64_t id, FindJobId(*api, context.arguments.words[0]));
  ASSIGN_OR_RETURN(const v1::StreamLogsRequest request, MakeRequest(context.arguments, id));
  FollowLimits limits;
  ASSIGN_OR_RETURN(limits.reconnect_for, context.ReconnectFor());
  absl::Status status;
  if (request.follow()) {
    status = AwaitStart(context, *api, id, limits);
  }
  if (status.ok()) {
    status = CopyLog(*api, request, limits, [&](const std::string& data) {
      context.console.Out(data);
      context.console.Flush();
    });
  }
  if (request.follow() && IsUnreachable(status)) {
    context.PrintError(status);
    return kExitServerLost;
  }
  RETURN_IF_ERROR(status);
  return kExitDone;
}

}  // namespace

const Command kLogsCommand = {
    .name = "logs",
    .plural = nullptr,
    .group = CommandGroup::kWatch,
    .summary = "the output of a job",
    .usage = "JOB [OPTIONS]",
    .examples =
        "berth logs -f 4812\n"
        "berth logs last --tail 100\n"
        "berth logs 4812 --rank 3 --attempt 0\n",
    .options = kOptions,
    .takes_job_options = false,
    .run = RunLogs,
};

}  // namespace berth
