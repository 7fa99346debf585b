#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"

#include "client/commands/commands.h"
#include "client/exit_codes.h"
#include "client/text.h"
#include "client/views.h"
#include "common/nearest_name.h"
#include "common/status_macros.h"

namespace berth {
namespace {

constexpr int64_t kLimitDefault = 10'000;
constexpr int64_t kLimitMax = 10'000'000;
constexpr int32_t kPageSize = 1000;
constexpr int kParametersCellsMax = 40;
constexpr absl::Duration kWatchPause = absl::Seconds(1);

constexpr Option kPsOptions[] = {
    Flag("all-states", "ended jobs too", 'a'),
    Flag("all", "of everybody you may see, not only yours", 'A'),
    Value("state", "LIST", "only these, e.g. pending,running"),
    Value("name", "NAME", "only jobs of this name", 'n'),
    Value("project", "PROJECT", "only of this project"),
    Value("tenant", "TENANT", "only of this tenant (operators)"),
    Value("limit", "N", "at most so many, the newest (10000)"),
    Flag("tasks", "each task of an array on a line of its own, with its parameters"),
    Flag("watch", "again and again until Ctrl-C", 'w'),
};

absl::Status ReadStates(const Arguments& arguments, v1::ListJobsRequest& request) {
  const OptionValue* const value = arguments.Find("state");
  if (value == nullptr) {
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(const std::vector<std::string> words, ListOf(*value));
  for (const std::string& word : words) {
    const std::vector<v1::JobState> states = JobStatesOfWord(word);
    if (states.empty()) {
      const std::string nearest = NearestName(word, JobStateWords());
      return ValueError(*value, absl::StrCat("there is no state \"", CleanText(word), "\""),
                        nearest.empty() ? absl::StrJoin(JobStateWords(), " ")
                                        : absl::StrCat("did you mean ", nearest, "?"));
    }
    for (const v1::JobState state : states) {
      request.add_states(state);
    }
  }
  return absl::OkStatus();
}

// Members see their own jobs unless they ask for all; operators and auditors see all.
absl::StatusOr<bool> OnlyMine(ApiClient& api, const Arguments& arguments) {
  if (arguments.Has("all") || arguments.Has("tenant")) {
    return false;
  }
  ASSIGN_OR_RETURN(const v1::WhoAmIResponse answer, api.WhoAmI({}));
  return answer.user().role() == v1::ROLE_MEMBER || answer.user().role() == v1::ROLE_TENANT_ADMIN;
}

struct JobList {
  std::vector<v1::Job> jobs;
  bool more = false;                         // there are others
  std::map<uint64_t, v1::JobSpec> matrices;  // by array: its specification, less all but the matrix
};

// All pages, the newest first, up to `limit` jobs.
absl::StatusOr<JobList> ListAll(ApiClient& api, v1::ListJobsRequest request, int64_t limit) {
  JobList list{.jobs = {}, .more = true, .matrices = {}};
  while (list.more && static_cast<int64_t>(list.jobs.size()) < limit) {
    request.set_page_size(static_cast<int32_t>(
        std::min<int64_t>(kPageSize, limit - static_cast<int64_t>(list.jobs.size()))));
    ASSIGN_OR_RETURN(v1::ListJobsResponse page, api.ListJobs(request));
    for (v1::Job& job : *page.mutable_jobs()) {
      list.jobs.push_back(std::move(job));
    }
    for (v1::ArrayMatrix& array : *page.mutable_matrices()) {
      list.matrices[array.array_id()].mutable_matrix()->Swap(array.mutable_matrix());
    }
    list.more = page.next_before_job_id() != 0;
    request.set_before_job_id(page.next_before_job_id());
  }
  return list;
}

// For people, the tasks of an array that is in the list stand in its line.
std::vector<v1::Job> FoldArrays(const Context& context, std::vector<v1::Job> jobs) {
  if (!context.output.for_people() || context.arguments.Has("tasks")) {
    return jobs;
  }
  std::set<uint64_t> arrays;
  for (const v1::Job& job : jobs) {
    if (job.has_array()) {
      arrays.insert(job.id());
    }
  }
  std::erase_if(jobs, [&arrays](const v1::Job& job) { return arrays.count(job.array_id()) > 0; });
  return jobs;
}

// Makes the listings of one command, again and again with --watch.
class JobLister {
 public:
  JobLister(Context& context, ApiClient& api, bool owners)
      : context_(context), api_(api), owners_(owners) {}

  absl::Status Print(JobList list) {
    const OutputKind kind = context_.output.kind;
    matrices_.merge(list.matrices);
    const std::vector<v1::Job> jobs = FoldArrays(context_, std::move(list.jobs));
    Listing listing = JobListing(jobs, owners_, kind, absl::Now());
    if (context_.arguments.Has("tasks") && kind != OutputKind::kName) {
      RETURN_IF_ERROR(AddParameters(jobs, listing));
    }
    return context_.Print(listing);
  }

 private:
  // What each task of a matrix was given; for people only where there is one.
  absl::Status AddParameters(const std::vector<v1::Job>& jobs, Listing& listing) {
    std::vector<std::string> texts;
    bool any = false;
    for (size_t i = 0; i < jobs.size(); ++i) {
      ASSIGN_OR_RETURN(const v1::JobSpec* const spec, MatrixOf(jobs[i]));
      std::vector<std::string> words;
      Json& json = listing.rows[i].json["parameters"];
      for (const auto& [name, value] : ParametersOf(jobs[i], *spec)) {
        json[name] = value;
        words.push_back(absl::StrCat(name, "=", value));
      }
      any = any || !words.empty();
      texts.push_back(CutToWidth(CleanText(absl::StrJoin(words, " ")), kParametersCellsMax));
    }
    if (any && context_.output.for_people()) {
      listing.columns.insert(listing.columns.end() - 1, Left("PARAMETERS"));
      for (size_t i = 0; i < jobs.size(); ++i) {
        std::vector<std::string>& cells = listing.rows[i].cells;
        cells.insert(cells.end() - 1, texts[i]);
      }
    }
    return absl::OkStatus();
  }

  // The specification of the array that the job is a task of, less all but its matrix. What no
  // listing has told is asked for once; who may not see it sees no parameters.
  absl::StatusOr<const v1::JobSpec*> MatrixOf(const v1::Job& job) {
    const auto [found, is_new] = matrices_.try_emplace(job.array_id());
    if (is_new && job.array_id() != 0) {
      v1::GetJobRequest request;
      request.set_job_id(job.array_id());
      request.set_with_spec(true);
      auto response = api_.GetJob(request);
      if (response.ok()) {
        found->second.mutable_matrix()->Swap(response->mutable_spec()->mutable_matrix());
      } else if (!absl::IsPermissionDenied(response.status()) &&
                 !absl::IsNotFound(response.status())) {
        return response.status();
      }
    }
    return &found->second;
  }

  Context& context_;
  ApiClient& api_;
  const bool owners_;
  std::map<uint64_t, v1::JobSpec> matrices_;  // by array
};

// On a terminal the picture is drawn again; elsewhere only changed lines are added.
absl::StatusOr<int> Watch(Context& context, ApiClient& api, v1::ListJobsRequest request,
                          int64_t limit) {
  std::set<std::pair<uint64_t, uint64_t>> shown;
  JobLister lister(context, api, !request.mine());
  bool first = true;
  while (true) {
    ASSIGN_OR_RETURN(JobList list, ListAll(api, request, limit));
    if (context.console.out_is_terminal() && context.output.for_people()) {
      context.console.Out("\x1b[H\x1b[J");
    } else {
      list.jobs.erase(std::remove_if(list.jobs.begin(), list.jobs.end(),
                                     [&](const v1::Job& job) {
                                       return !shown.emplace(job.id(), job.version()).second;
                                     }),
                      list.jobs.end());
      context.output.headers = context.output.headers && first;
    }
    if (first || !list.jobs.empty() || context.console.out_is_terminal()) {
      RETURN_IF_ERROR(lister.Print(std::move(list)));
    }
    if (!context.console.Flush()) {
      return kExitDone;
    }
    first = false;
    request.set_with_matrices(false);  // they do not change, and of few arrays each is asked for
    absl::SleepFor(kWatchPause);
  }
}

absl::StatusOr<int> RunPs(Context& context) {
  const Arguments& arguments = context.arguments;
  RETURN_IF_ERROR(CheckWordCount(arguments, 0, 0, ""));
  v1::ListJobsRequest request;
  RETURN_IF_ERROR(ReadStates(arguments, request));
  int64_t limit = kLimitDefault;
  if (const OptionValue* const value = arguments.Find("limit"); value != nullptr) {
    ASSIGN_OR_RETURN(limit, IntegerOf(*value, 1, kLimitMax));
  }
  request.set_all_states(arguments.Has("all-states"));
  request.set_name(arguments.Text("name"));
  request.set_project(arguments.Text("project"));
  request.set_tenant(arguments.Text("tenant"));
  request.set_with_matrices(arguments.Has("tasks") && context.output.kind != OutputKind::kName);
  ASSIGN_OR_RETURN(ApiClient* const api, context.Api());
  ASSIGN_OR_RETURN(const bool mine, OnlyMine(*api, arguments));
  request.set_mine(mine);
  if (arguments.Has("watch")) {
    return Watch(context, *api, request, limit);
  }
  ASSIGN_OR_RETURN(JobList list, ListAll(*api, request, limit));
  const bool more = list.more;
  RETURN_IF_ERROR(JobLister(context, *api, !mine).Print(std::move(list)));
  if (more) {
    context.PrintNotes({limit == 1
                            ? std::string("only the newest job; see --limit")
                            : absl::StrCat("only the newest ", limit, " jobs; see --limit")});
  }
  return kExitDone;
}

}  // namespace

const Command kPsCommand = {
    .name = "ps",
    .plural = nullptr,
    .group = CommandGroup::kWatch,
    .summary = "list jobs",
    .usage = "[OPTIONS]",
    .examples =
        "berth ps\n"
        "berth ps -a --state failed -o json\n"
        "berth ps -A -o fields=id,state,nodes --no-headers\n",
    .options = kPsOptions,
    .takes_job_options = false,
    .run = RunPs,
};

}  // namespace berth
