#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

#include "client/commands/commands.h"
#include "client/exit_codes.h"
#include "client/follow.h"
#include "client/job_ids.h"
#include "client/unreachable.h"
#include "client/views.h"
#include "common/status_macros.h"

namespace berth {
namespace {

constexpr Option kWaitOptions[] = {
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

// The exit code that one waited-for job gives.
int CodeOf(const v1::Job& job, v1::WaitJobRequest::Until until) {
  const bool has_started = !IsEnded(job.state()) || job.started_at_us() != 0;
  return until == v1::WaitJobRequest::UNTIL_STARTED && has_started ? kExitDone : ExitCodeOfJob(job);
}

// Waits for one job after the other and keeps them. Returns the first code that is not 0.
absl::StatusOr<int> WaitForEach(ApiClient& api, const std::vector<uint64_t>& ids,
                                v1::WaitJobRequest request, const FollowLimits& limits,
                                std::vector<v1::Job>& jobs) {
  int code = kExitDone;
  for (const uint64_t id : ids) {
    request.set_job_id(id);
    ASSIGN_OR_RETURN(const WaitResult result, WaitForJob(api, request, limits, nullptr));
    if (!result.done) {
      return kExitClientTimeout;
    }
    code = code != kExitDone ? code : CodeOf(result.job, request.until());
    jobs.push_back(result.job);
  }
  return code;
}

absl::StatusOr<int> RunWait(Context& context) {
  if (context.arguments.words.empty()) {
    return ErrorAt({}, "name the jobs, e.g. `berth wait 4812`");
  }
  v1::WaitJobRequest request;
  ASSIGN_OR_RETURN(const v1::WaitJobRequest::Until until, ReadUntil(context.arguments));
  request.set_until(until);
  ASSIGN_OR_RETURN(const FollowLimits limits, FollowLimitsOf(context));
  ASSIGN_OR_RETURN(ApiClient* const api, context.Api());
  ASSIGN_OR_RETURN(const std::vector<uint64_t> ids, FindJobIds(*api, context.arguments.words));
  std::vector<v1::Job> jobs;
  absl::StatusOr<int> code = WaitForEach(*api, ids, request, limits, jobs);
  if (IsUnreachable(code.status())) {
    context.PrintError(code.status());
    return kExitServerLost;
  }
  if (code.ok() && !context.settings.output.empty()) {
    RETURN_IF_ERROR(context.Print(JobListing(jobs, false, context.output.kind, absl::Now())));
  }
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
    .options = kWaitOptions,
    .takes_job_options = false,
    .run = RunWait,
};

}  // namespace berth
