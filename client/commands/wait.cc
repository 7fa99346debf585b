#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

#include "client/commands/commands.h"
#include "client/exit_codes.h"
#include "client/follow.h"
#include "client/job_ids.h"
#include "client/views.h"
#include "common/status_macros.h"

namespace berth {
namespace {

constexpr Option kOptions[] = {
    Value("for", "started|ended", "what to wait for (ended)"),
    Value("timeout", "TIME", "give up after this time with 124"),
};

absl::StatusOr<v1::WaitJobRequest::Until> ReadUntil(const Arguments& arguments) {
  const OptionValue* const value = arguments.Find("for");
  if (value == nullptr || value->text == "ended") {
    return v1::WaitJobRequest::UNTIL_ENDED;
  }
  if (value->text == "started") {
    return v1::WaitJobRequest::UNTIL_STARTED;
  }
  return ValueError(*value, "must be started or ended");
}

absl::StatusOr<FollowLimits> LimitsOf(const Context& context) {
  FollowLimits limits;
  ASSIGN_OR_RETURN(limits.reconnect_for, context.ReconnectFor());
  if (const OptionValue* const value = context.arguments.Find("timeout"); value != nullptr) {
    ASSIGN_OR_RETURN(const absl::Duration timeout, DurationOf(*value));
    limits.deadline = absl::Now() + timeout;
  }
  return limits;
}

absl::StatusOr<int> RunWait(Context& context) {
  if (context.arguments.words.empty()) {
    return ErrorAt({}, "name the jobs, e.g. `berth wait 4812`");
  }
  ASSIGN_OR_RETURN(const v1::WaitJobRequest::Until until, ReadUntil(context.arguments));
  ASSIGN_OR_RETURN(const FollowLimits limits, LimitsOf(context));
  ASSIGN_OR_RETURN(ApiClient* const api, context.Api());
  ASSIGN_OR_RETURN(const std::vector<uint64_t> ids, FindJobIds(*api, context.arguments.words));
  int code = kExitDone;
  std::vector<v1::Job> jobs;
  for (const uint64_t id : ids) {
    v1::WaitJobRequest request;
    request.set_job_id(id);
    request.set_until(until);
    const auto result = WaitForJob(*api, request, limits, nullptr);
    if (!result.ok() && IsUnreachable(result.status())) {
      context.PrintError(result.status());
      return kExitServerLost;
    }
    RETURN_IF_ERROR(result.status());
    if (!result->done) {
      return kExitClientTimeout;
    }
    const bool is_started = until == v1::WaitJobRequest::UNTIL_STARTED &&
                            (!IsEnded(result->job.state()) || result->job.started_at_us() != 0);
    code = code != kExitDone || is_started ? code : ExitCodeOfJob(result->job);
    jobs.push_back(result->job);
  }
  if (context.settings.output.empty()) {
    return code;
  }
  RETURN_IF_ERROR(context.Print(JobListing(jobs, false, absl::Now())));
  return code;
}

}  // namespace

const Command kWaitCommand = {
    .name = "wait",
    .plural = nullptr,
    .group = CommandGroup::kWatch,
    .summary = "wait for jobs to end, exit with the first code that is not 0",
    .usage = "JOB... [OPTIONS]",
    .examples =
        "berth wait 4812\n"
        "berth wait 4800-4812 --timeout 2h\n"
        "berth wait last --for started && berth logs -f last\n",
    .options = kOptions,
    .takes_job_options = false,
    .run = RunWait,
};

}  // namespace berth
