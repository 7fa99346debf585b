// `retry`: what ended, submitted once more, as it was or changed.

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

#include "client/commands/commands.h"
#include "client/commands/resubmission.h"
#include "client/commands/submit.h"
#include "client/job_ids.h"
#include "client/text.h"
#include "client/views.h"
#include "common/error_detail.h"
#include "common/status_macros.h"

namespace berth {
namespace {

constexpr int32_t kTasksPerPage = 1000;

constexpr auto kRetryOptions = [] {
  std::array<Option, 1 + kSubmitOptions.size()> options{
      Flag("failed", "only the tasks of an array that have failed")};
  std::copy(kSubmitOptions.begin(), kSubmitOptions.end(), options.begin() + 1);
  return options;
}();

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

// Whether the options can change what this job was.
absl::Status CheckOptions(const Arguments& arguments, const v1::Job& job) {
  const OptionValue* const array = arguments.Find("array");
  const OptionValue* const matrix = arguments.Find("matrix");
  const bool chosen = arguments.Has("failed") || job.array_id() != 0;
  if (chosen && (matrix != nullptr || (array != nullptr && !absl::StartsWith(array->text, "%")))) {
    return ValueError(
        matrix != nullptr ? *matrix : *array,
        absl::StrCat("what is submitted again are tasks of array ",
                     job.array_id() != 0 ? job.array_id() : job.id(), ", with their indexes"),
        "leave it out (--array %4 alone bounds how many run at once), or retry the whole array");
  }
  if (const OptionValue* const value = arguments.Find("upload-max");
      value != nullptr && !arguments.Has("workdir")) {
    return ValueError(*value, "nothing is uploaded: the job starts in the folder that it had",
                      "give it with --workdir");
  }
  if (const OptionValue* const value = arguments.Find("tenant");
      value != nullptr && value->text != job.tenant()) {
    return ValueError(*value,
                      absl::StrCat("job ", JobIdText(job), " is of ", CleanText(job.tenant())),
                      "leave it out; `berth submit --tenant` submits for another tenant");
  }
  return absl::OkStatus();
}

absl::StatusOr<v1::SubmitJobRequest> Again(ApiClient& api, uint64_t id,
                                           const Arguments& arguments) {
  const bool failed_only = arguments.Has("failed");
  v1::GetJobRequest request;
  request.set_job_id(id);
  request.set_with_spec(true);
  ASSIGN_OR_RETURN(const v1::GetJobResponse known, api.GetJob(request));
  const v1::Job& job = known.job();
  RETURN_IF_ERROR(CheckState(job, failed_only));
  RETURN_IF_ERROR(CheckOptions(arguments, job));
  v1::SubmitJobRequest again;
  v1::JobSpec& spec = *again.mutable_spec();
  ASSIGN_OR_RETURN(spec, SpecOfKnown(known));
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
    again.set_on_behalf_of_tenant(job.tenant());
  }
  return again;
}

absl::StatusOr<int> RunRetry(Context& context) {
  RETURN_IF_ERROR(
      CheckWordsBeforeDashes(context.arguments, 1, 1, "the job, e.g. `berth retry 4812`"));
  ASSIGN_OR_RETURN(ApiClient* const api, context.Api());
  ASSIGN_OR_RETURN(const uint64_t id, FindJobId(*api, context.arguments.words[0]));
  ASSIGN_OR_RETURN(v1::SubmitJobRequest again, Again(*api, id, context.arguments));
  ASSIGN_OR_RETURN(Submission submission,
                   MakeResubmission(std::move(again), context.arguments, SourceHere(context)));
  return Submit(context, std::move(submission));
}

}  // namespace

const Command kRetryCommand = {
    .name = "retry",
    .plural = nullptr,
    .group = CommandGroup::kControl,
    .summary = "submit what ended once more, changed or as it was, or what failed of an array",
    .usage = "JOB [OPTIONS] [-- COMMAND ARGUMENTS]",
    .examples =
        "berth retry 4812 --memory 64GiB --time 8h\n"
        "berth retry 4799 --failed\n"
        "berth retry 4799.7 -- python train.py --lr 1e-4\n",
    .options = kRetryOptions,
    .takes_job_options = true,
    .run = RunRetry,
};

}  // namespace berth
