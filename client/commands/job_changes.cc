#include <algorithm>
#include <functional>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

#include "client/commands/commands.h"
#include "client/commands/job_update.h"
#include "client/exit_codes.h"
#include "client/job_ids.h"
#include "client/views.h"
#include "common/status_macros.h"

namespace berth {
namespace {

using Change = std::function<absl::StatusOr<v1::Job>(ApiClient& api, uint64_t id)>;

constexpr Option kCancelOptions[] = {
    Value("reason", "TEXT", "told to the job's owner"),
    Flag("now", "kill at once, without grace"),
};

std::string Sentence(const v1::Job& job) {
  const bool is_stopping = job.cancel_requested() && !IsEnded(job.state());
  return absl::StrCat("job ", JobIdText(job), " ",
                      is_stopping ? "is being stopped" : JobStateWord(job.state()), "\n");
}

// How many went well, and the first thing that went wrong.
struct Changes {
  std::vector<v1::Job> changed;
  absl::Status first_error;
};

// One that fails does not keep the others. Errors of many are printed here, one by one.
Changes ChangeEach(Context& context, ApiClient& api, const std::vector<uint64_t>& ids,
                   const Change& change) {
  Changes changes;
  for (const uint64_t id : ids) {
    auto job = change(api, id);
    if (job.ok()) {
      context.console.Out(context.output.for_people() ? Sentence(*job) : "");
      changes.changed.push_back(std::move(*job));
      continue;
    }
    if (ids.size() > 1) {
      context.PrintError(job.status());
    }
    changes.first_error.Update(job.status());
  }
  return changes;
}

absl::StatusOr<int> ChangeJobs(Context& context, const Change& change) {
  if (context.arguments.words.empty()) {
    return ErrorAt({}, "name the jobs, e.g. 4812, 4800-4812 or last");
  }
  ASSIGN_OR_RETURN(ApiClient* const api, context.Api());
  ASSIGN_OR_RETURN(const std::vector<uint64_t> ids, FindJobIds(*api, context.arguments.words));
  const Changes changes = ChangeEach(context, *api, ids, change);
  if (!context.output.for_people() && !changes.changed.empty()) {
    RETURN_IF_ERROR(
        context.Print(JobListing(changes.changed, false, context.output.kind, absl::Now())));
  }
  if (ids.size() == 1) {
    RETURN_IF_ERROR(changes.first_error);
  }
  if (changes.first_error.ok()) {
    return kExitDone;
  }
  return changes.changed.empty() ? ExitCodeOfStatus(changes.first_error) : kExitPartlyDone;
}

absl::StatusOr<int> RunCancel(Context& context) {
  return ChangeJobs(context, [&](ApiClient& api, uint64_t id) -> absl::StatusOr<v1::Job> {
    v1::CancelJobRequest request;
    request.set_job_id(id);
    request.set_reason(context.arguments.Text("reason"));
    request.set_now(context.arguments.Has("now"));
    ASSIGN_OR_RETURN(v1::CancelJobResponse response, api.CancelJob(request));
    return std::move(*response.mutable_job());
  });
}

absl::StatusOr<int> RunHold(Context& context) {
  return ChangeJobs(context, [](ApiClient& api, uint64_t id) -> absl::StatusOr<v1::Job> {
    v1::HoldJobRequest request;
    request.set_job_id(id);
    ASSIGN_OR_RETURN(v1::HoldJobResponse response, api.HoldJob(request));
    return std::move(*response.mutable_job());
  });
}

absl::StatusOr<int> RunRelease(Context& context) {
  return ChangeJobs(context, [](ApiClient& api, uint64_t id) -> absl::StatusOr<v1::Job> {
    v1::ReleaseJobRequest request;
    request.set_job_id(id);
    ASSIGN_OR_RETURN(v1::ReleaseJobResponse response, api.ReleaseJob(request));
    return std::move(*response.mutable_job());
  });
}

absl::StatusOr<int> RunUpdate(Context& context) {
  ASSIGN_OR_RETURN(const v1::UpdateJobRequest update, MakeUpdate(context.arguments));
  return ChangeJobs(context, [&update](ApiClient& api, uint64_t id) -> absl::StatusOr<v1::Job> {
    v1::UpdateJobRequest request = update;
    request.set_job_id(id);
    ASSIGN_OR_RETURN(v1::UpdateJobResponse response, api.UpdateJob(request));
    return std::move(*response.mutable_job());
  });
}

constexpr Option kRequeueOptions[] = {
    Value("reason", "TEXT", "told to the job's owner"),
};

absl::StatusOr<int> RunRequeue(Context& context) {
  return ChangeJobs(context, [&](ApiClient& api, uint64_t id) -> absl::StatusOr<v1::Job> {
    v1::RequeueJobRequest request;
    request.set_job_id(id);
    request.set_reason(context.arguments.Text("reason"));
    ASSIGN_OR_RETURN(v1::RequeueJobResponse response, api.RequeueJob(request));
    return std::move(*response.mutable_job());
  });
}

}  // namespace

const Command kUpdateCommand = {
    .name = "update",
    .plural = nullptr,
    .group = CommandGroup::kControl,
    .summary = "change jobs that wait",
    .usage = "JOB... OPTIONS",
    .examples =
        "berth update 4812 --nodes 3\n"
        "berth update 4812 --time 12h --no-borrow\n"
        "berth update @lr-sweep --priority 10\n",
    .options = kUpdateOptions,
    .takes_job_options = false,
    .run = RunUpdate,
};

const Command kRequeueCommand = {
    .name = "requeue",
    .plural = nullptr,
    .group = CommandGroup::kControl,
    .summary = "stop running jobs and queue them again, as the next attempt",
    .usage = "JOB... [OPTIONS]",
    .examples =
        "berth requeue 4812\n"
        "berth requeue 4800-4812 --reason \"new data\"\n"
        "berth requeue last -o json\n",
    .options = kRequeueOptions,
    .takes_job_options = false,
    .run = RunRequeue,
};

const Command kCancelCommand = {
    .name = "cancel",
    .plural = nullptr,
    .group = CommandGroup::kControl,
    .summary = "stop jobs: the stop signal, the grace, the kill",
    .usage = "JOB... [OPTIONS]",
    .examples =
        "berth cancel 4812\n"
        "berth cancel 4800-4812,4820 --reason \"wrong data\"\n"
        "berth cancel last --now\n",
    .options = kCancelOptions,
    .takes_job_options = false,
    .run = RunCancel,
};

const Command kHoldCommand = {
    .name = "hold",
    .plural = nullptr,
    .group = CommandGroup::kControl,
    .summary = "keep pending jobs from starting",
    .usage = "JOB...",
    .examples = "berth hold 4812\nberth hold 4800-4812\nberth hold @lr-sweep\n",
    .options = {},
    .takes_job_options = false,
    .run = RunHold,
};

const Command kReleaseCommand = {
    .name = "release",
    .plural = nullptr,
    .group = CommandGroup::kControl,
    .summary = "let held jobs start",
    .usage = "JOB...",
    .examples = "berth release 4812\nberth release 4800-4812\nberth release last\n",
    .options = {},
    .takes_job_options = false,
    .run = RunRelease,
};

}  // namespace berth
