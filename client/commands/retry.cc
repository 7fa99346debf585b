// `retry`: what ended, submitted once more.

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

#include "client/array_options.h"
#include "client/commands/commands.h"
#include "client/commands/submit.h"
#include "client/exit_codes.h"
#include "client/job_ids.h"
#include "client/views.h"
#include "common/error_detail.h"
#include "common/status_macros.h"

namespace berth {
namespace {

constexpr int32_t kTasksPerPage = 1000;

constexpr Option kRetryOptions[] = {
    Flag("failed", "only the tasks of an array that have failed"),
    Flag("parsable", "print the new job's id and nothing else"),
};

// Of the tasks that have failed so far, ascending. Cancelled ones have not.
absl::StatusOr<std::vector<int32_t>> FailedIndexes(ApiClient& api, uint64_t array) {
  v1::ListJobsRequest request;
  request.set_array_id(array);
  request.set_page_size(kTasksPerPage);
  for (const v1::JobState state :
       {v1::JOB_STATE_FAILED, v1::JOB_STATE_TIMED_OUT, v1::JOB_STATE_DEPENDENCY_FAILED}) {
    request.add_states(state);
  }
  std::vector<int32_t> indexes;
  do {
    ASSIGN_OR_RETURN(const v1::ListJobsResponse page, api.ListJobs(request));
    for (const v1::Job& task : page.jobs()) {
      indexes.push_back(task.array_index());
    }
    request.set_before_job_id(page.next_before_job_id());
  } while (request.before_job_id() != 0);
  std::sort(indexes.begin(), indexes.end());
  return indexes;
}

// The ranges of these tasks, those that follow each other in one.
std::vector<v1::IndexRange> FoldIndexes(const std::vector<int32_t>& indexes) {
  std::vector<v1::IndexRange> ranges;
  for (const int32_t index : indexes) {
    if (!ranges.empty() && index == ranges.back().first() + ranges.back().count()) {
      ranges.back().set_count(ranges.back().count() + 1);
      continue;
    }
    v1::IndexRange& range = ranges.emplace_back();
    range.set_first(index);
    range.set_count(1);
    range.set_step(1);
  }
  return ranges;
}

void SelectTasks(const std::vector<int32_t>& indexes, v1::JobSpec& spec) {
  v1::ArraySpec array;
  array.set_concurrent_max(spec.array().concurrent_max());
  array.set_fails_max(spec.array().fails_max());
  SetRanges(FoldIndexes(indexes), array);
  *spec.mutable_array() = array;
}

absl::Status CheckState(const v1::Job& job, bool failed_only) {
  if (failed_only && !job.has_array()) {
    return ErrorAt({}, absl::StrCat("job ", JobIdText(job), " is no array: --failed chooses tasks"),
                   "leave --failed out");
  }
  if (failed_only || IsEnded(job.state())) {
    return absl::OkStatus();
  }
  return MakeError(absl::StatusCode::kFailedPrecondition,
                   {.code = "B4002",
                    .message = absl::StrCat("job ", JobIdText(job), " is ",
                                            JobStateWord(job.state()), ", not ended"),
                    .why = "",
                    .fix = job.has_array() ? "berth retry JOB --failed" : "berth requeue JOB"});
}

// An operator sees the variables of others without their values.
absl::Status CheckWhole(const v1::Job& job, const v1::JobSpec& spec) {
  const bool redacted =
      std::any_of(spec.environment().begin(), spec.environment().end(),
                  [](const auto& variable) { return variable.second == "(redacted)"; });
  return !redacted ? absl::OkStatus()
                   : MakeError(absl::StatusCode::kPermissionDenied,
                               {.code = "B7203",
                                .message = absl::StrCat("job ", JobIdText(job),
                                                        " has variables whose values are not told"),
                                .why = "they are its user's",
                                .fix = "ask its owner or the tenant's admin to submit it again"});
}

// What `berth update` has changed since it was submitted stays so.
void TakeChanges(const v1::Job& job, v1::JobSpec& spec) {
  spec.set_name(job.name());
  *spec.mutable_gang() = job.gang();
  spec.set_time_limit_ms(job.time_limit_ms());
  spec.set_grace_ms(job.grace_ms());
  spec.set_priority(job.priority());
  spec.set_no_borrow(job.no_borrow());
}

absl::StatusOr<Submission> Again(ApiClient& api, uint64_t id, bool failed_only) {
  v1::GetJobRequest request;
  request.set_job_id(id);
  request.set_with_spec(true);
  ASSIGN_OR_RETURN(const v1::GetJobResponse known, api.GetJob(request));
  const v1::Job& job = known.job();
  RETURN_IF_ERROR(CheckState(job, failed_only));
  RETURN_IF_ERROR(CheckWhole(job, known.spec()));
  Submission submission;
  v1::JobSpec& spec = *submission.request.mutable_spec();
  spec = known.spec();
  TakeChanges(job, spec);
  if (job.array_id() != 0) {
    SelectTasks({job.array_index()}, spec);
  }
  if (failed_only) {
    ASSIGN_OR_RETURN(const std::vector<int32_t> indexes, FailedIndexes(api, id));
    if (indexes.empty()) {
      return MakeError(absl::StatusCode::kFailedPrecondition,
                       {.code = "B1312",
                        .message = absl::StrCat("no task of job ", JobIdText(job), " has failed"),
                        .why = "",
                        .fix = absl::StrCat("berth show ", id)});
    }
    SelectTasks(indexes, spec);
  }
  ASSIGN_OR_RETURN(const v1::WhoAmIResponse caller, api.WhoAmI({}));
  if (caller.user().tenant() != job.tenant()) {
    submission.request.set_on_behalf_of_tenant(job.tenant());
  }
  submission.request.set_idempotency_key(NewIdempotencyKey(absl::Now()));
  return submission;
}

absl::StatusOr<int> RunRetry(Context& context) {
  RETURN_IF_ERROR(CheckWordCount(context.arguments, 1, 1, "the job, e.g. `berth retry 4812`"));
  ASSIGN_OR_RETURN(ApiClient* const api, context.Api());
  ASSIGN_OR_RETURN(const uint64_t id, FindJobId(*api, context.arguments.words[0]));
  ASSIGN_OR_RETURN(Submission submission, Again(*api, id, context.arguments.Has("failed")));
  ASSIGN_OR_RETURN(const auto response, SubmitToFollow(context, *api, submission));
  RETURN_IF_ERROR(PrintSubmitted(context, submission, *response));
  context.PrintNotes({response->notes().begin(), response->notes().end()});
  return kExitDone;
}

}  // namespace

const Command kRetryCommand = {
    .name = "retry",
    .plural = nullptr,
    .group = CommandGroup::kControl,
    .summary = "submit what ended once more, or what failed of an array",
    .usage = "JOB [OPTIONS]",
    .examples =
        "berth retry 4812\n"
        "berth retry 4799 --failed\n"
        "berth retry 4799.7\n",
    .options = kRetryOptions,
    .takes_job_options = false,
    .run = RunRetry,
};

}  // namespace berth
