#include <algorithm>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"

#include "client/commands/commands.h"
#include "client/commands/job_update.h"
#include "client/exit_codes.h"
#include "client/job_ids.h"
#include "client/views.h"
#include "common/status_macros.h"

namespace berth {
namespace {

// What became of one that was named.
struct Changed {
  v1::Job job;
  std::string sentence;
  Json tasks = {};  // of an array, that were named; else null
};
using Change = std::function<absl::StatusOr<Changed>(ApiClient& api)>;
using JobChange = std::function<absl::StatusOr<v1::Job>(ApiClient& api, uint64_t id)>;

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
  std::vector<Changed> changed;
  absl::Status first_error;
};

// One that fails does not keep the others. Errors of many are printed here, one by one.
Changes ChangeEach(Context& context, ApiClient& api, const std::vector<Change>& asked) {
  Changes changes;
  for (const Change& change : asked) {
    auto changed = change(api);
    if (changed.ok()) {
      context.console.Out(context.output.for_people() ? changed->sentence : "");
      changes.changed.push_back(std::move(*changed));
      continue;
    }
    if (asked.size() > 1) {
      context.PrintError(changed.status());
    }
    changes.first_error.Update(changed.status());
  }
  return changes;
}

Listing ListingOf(const std::vector<Changed>& changed, OutputKind kind) {
  std::vector<v1::Job> jobs;
  for (const Changed& one : changed) {
    jobs.push_back(one.job);
  }
  Listing listing = JobListing(jobs, false, kind, absl::Now());
  for (size_t i = 0; i < changed.size(); ++i) {
    if (!changed[i].tasks.is_null()) {
      listing.rows[i].json["cancelled_tasks"] = changed[i].tasks;
    }
  }
  return listing;
}

absl::StatusOr<int> ChangeAll(Context& context, ApiClient& api, const std::vector<Change>& asked) {
  const Changes changes = ChangeEach(context, api, asked);
  if (!context.output.for_people() && !changes.changed.empty()) {
    RETURN_IF_ERROR(context.Print(ListingOf(changes.changed, context.output.kind)));
  }
  if (asked.size() == 1) {
    RETURN_IF_ERROR(changes.first_error);
  }
  if (changes.first_error.ok()) {
    return kExitDone;
  }
  return changes.changed.empty() ? ExitCodeOfStatus(changes.first_error) : kExitPartlyDone;
}

absl::StatusOr<ApiClient*> ApiForWords(Context& context) {
  if (context.arguments.words.empty()) {
    return ErrorAt({}, "name the jobs, e.g. 4812, 4800-4812 or last");
  }
  return context.Api();
}

// The same change of each of these jobs, added to what else is asked.
absl::Status AddJobs(ApiClient& api, const std::vector<Word>& words, const JobChange& change,
                     std::vector<Change>& asked) {
  ASSIGN_OR_RETURN(const std::vector<uint64_t> ids, FindJobIds(api, words));
  for (const uint64_t id : ids) {
    asked.push_back([&change, id](ApiClient& to) -> absl::StatusOr<Changed> {
      ASSIGN_OR_RETURN(v1::Job job, change(to, id));
      const std::string sentence = Sentence(job);
      return Changed{.job = std::move(job), .sentence = sentence};
    });
  }
  return absl::OkStatus();
}

absl::StatusOr<int> ChangeJobs(Context& context, const JobChange& change) {
  ASSIGN_OR_RETURN(ApiClient* const api, ApiForWords(context));
  std::vector<Change> asked;
  RETURN_IF_ERROR(AddJobs(*api, context.arguments.words, change, asked));
  return ChangeAll(context, *api, asked);
}

// What can come of tasks.
struct TaskCount {
  const char* key;
  int32_t (v1::CancelledTasks::*number)() const;
  const char* words;
};
constexpr TaskCount kTaskCounts[] = {
    {"stopping", &v1::CancelledTasks::stopping, "being stopped"            },
    {"waiting",  &v1::CancelledTasks::waiting,  "cancelled before starting"},
    {"before",   &v1::CancelledTasks::before,   "cancelled earlier"        },
    {"ended",    &v1::CancelledTasks::ended,    "ended earlier"            },
};

Json TasksJson(const v1::CancelledTasks& tasks) {
  Json json;
  for (const TaskCount& count : kTaskCounts) {
    json[count.key] = (tasks.*count.number)();
  }
  return json;
}

std::string TasksSentence(const v1::CancelJobRequest& request, const v1::CancelledTasks& tasks) {
  const bool is_one = request.tasks_size() == 1 && request.tasks(0).count() == 1;
  std::vector<std::string> parts;
  for (const TaskCount& count : kTaskCounts) {
    if (const int32_t number = (tasks.*count.number)(); number > 0) {
      parts.push_back(is_one ? count.words : absl::StrCat(number, " ", count.words));
    }
  }
  return absl::StrCat(is_one ? "job " : "tasks ", request.array_id(), ".",
                      IndexesText(request.tasks()), is_one ? " " : ": ", absl::StrJoin(parts, ", "),
                      "\n");
}

// Of one task that is a job, it is told as of any job.
absl::StatusOr<Changed> CancelTasks(ApiClient& api, const v1::CancelJobRequest& request) {
  ASSIGN_OR_RETURN(v1::CancelJobResponse response, api.CancelJob(request));
  return Changed{.job = response.job(),
                 .sentence = response.job().has_array() ? TasksSentence(request, response.tasks())
                                                        : Sentence(response.job()),
                 .tasks = TasksJson(response.tasks())};
}

absl::StatusOr<int> RunCancel(Context& context) {
  ASSIGN_OR_RETURN(ApiClient* const api, ApiForWords(context));
  v1::CancelJobRequest request;
  request.set_reason(context.arguments.Text("reason"));
  request.set_now(context.arguments.Has("now"));
  const JobChange cancel = [&request](ApiClient& to, uint64_t id) -> absl::StatusOr<v1::Job> {
    v1::CancelJobRequest of_job = request;
    of_job.set_job_id(id);
    ASSIGN_OR_RETURN(v1::CancelJobResponse response, to.CancelJob(of_job));
    return std::move(*response.mutable_job());
  };
  std::vector<Word> words = context.arguments.words;
  ASSIGN_OR_RETURN(const std::vector<NamedTasks> tasks, TakeTasks(words));
  std::vector<Change> asked;
  RETURN_IF_ERROR(AddJobs(*api, words, cancel, asked));
  for (const NamedTasks& named : tasks) {
    v1::CancelJobRequest of_tasks = request;
    of_tasks.set_array_id(named.array);
    of_tasks.mutable_tasks()->Assign(named.indexes.begin(), named.indexes.end());
    asked.push_back([of_tasks](ApiClient& to) { return CancelTasks(to, of_tasks); });
  }
  return ChangeAll(context, *api, asked);
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
    .summary = "stop jobs, or tasks of an array: the stop signal, the grace, the kill",
    .usage = "JOB... [OPTIONS]",
    .examples =
        "berth cancel last --now\n"
        "berth cancel 4800-4812,4820 --reason \"wrong data\"\n"
        "berth cancel '4799.[5-9,12]'\n",
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
