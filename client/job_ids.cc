#include "client/job_ids.h"

#include <algorithm>
#include <numeric>
#include <set>
#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

#include "client/array_options.h"
#include "client/text.h"
#include "common/error_detail.h"
#include "common/status_macros.h"

namespace berth {
namespace {

constexpr uint64_t kRangeMax = 10'000;
constexpr int32_t kStepsBackMax = 1000;

absl::Status NoSuchForm(const Word& word, absl::string_view part) {
  return ErrorAt(word.origin, absl::StrCat("\"", CleanText(part), "\" names no job"),
                 "use an id like 4812, a task like 4812.7, a range like 4800-4812, last, last~2 or "
                 "@name");
}

absl::Status NoJob(absl::string_view message) {
  return MakeError(absl::StatusCode::kNotFound,
                   {.code = "B1304", .message = message, .why = "", .fix = "berth ps -a"});
}

// My newest job but `steps_back`, of one name if `name` is not empty. A task that an array started
// meanwhile is none: it is the array that was submitted.
absl::StatusOr<uint64_t> FindMine(ApiClient& api, const std::string& name, int32_t steps_back) {
  v1::ListJobsRequest request;
  request.set_all_states(true);
  request.set_mine(true);
  request.set_without_tasks(true);
  request.set_name(name);
  request.set_page_size(steps_back + 1);
  ASSIGN_OR_RETURN(const v1::ListJobsResponse response, api.ListJobs(request));
  if (response.jobs_size() <= steps_back) {
    return NoJob(name.empty() ? "you have not submitted so many jobs"
                              : absl::StrCat("you have no job called \"", CleanText(name), "\""));
  }
  return response.jobs(steps_back).id();
}

// A task of an array by its index: the job that it is.
absl::StatusOr<std::vector<uint64_t>> FindTask(ApiClient& api, const Word& word,
                                               const std::string& part,
                                               const std::vector<std::string>& task) {
  uint64_t array = 0;
  int32_t index = 0;
  // "4799." is how `berth ps` shows the array itself.
  const bool is_array = task[1].empty();
  if (!absl::SimpleAtoi(task[0], &array) || array == 0 ||
      (!is_array && (!absl::SimpleAtoi(task[1], &index) || index < 0))) {
    return NoSuchForm(word, part);
  }
  if (is_array) {
    return std::vector<uint64_t>{array};
  }
  v1::FindArrayTaskRequest request;
  request.set_array_id(array);
  request.set_index(index);
  ASSIGN_OR_RETURN(const v1::FindArrayTaskResponse response, api.FindArrayTask(request));
  return std::vector<uint64_t>{response.job_id()};
}

// At the commas, but for those in brackets.
std::vector<std::string> SplitNames(const std::string& text) {
  std::vector<std::string> names;
  for (const std::string& part : std::vector<std::string>(absl::StrSplit(text, ','))) {
    const bool is_open = !names.empty() && absl::StrContains(names.back(), '[') &&
                         !absl::StrContains(names.back(), ']');
    if (is_open) {
      absl::StrAppend(&names.back(), ",", part);
    } else {
      names.push_back(part);
    }
  }
  return names;
}

absl::StatusOr<std::vector<v1::IndexRange>> TaskIndexes(const Word& word, const std::string& name,
                                                        absl::string_view list) {
  const bool is_open = absl::ConsumePrefix(&list, "[");
  const bool is_closed = absl::ConsumeSuffix(&list, "]");
  auto indexes = ParseRanges(is_open == is_closed ? std::string(list) : "");
  if (!indexes.ok()) {
    return ErrorAt(word.origin,
                   absl::StrCat("\"", CleanText(name), "\" ", indexes.status().message()),
                   "name tasks like 4799.8, 4799.5-9 or 4799.[5-9,12,20-30:2]");
  }
  return indexes;
}

// Behind a task a number could be another index, or another job.
absl::Status CheckMeaning(const Word& word, const std::string& before, const std::string& name) {
  const bool is_number = !name.empty() && name.find_first_not_of("0123456789-:") == name.npos;
  if (!is_number || !absl::StrContains(before, '.') || absl::EndsWith(before, "]") ||
      absl::EndsWith(before, ".")) {
    return absl::OkStatus();
  }
  const std::vector<std::string> parts = absl::StrSplit(before, absl::MaxSplits('.', 1));
  return ErrorAt(word.origin,
                 absl::StrCat("\"", CleanText(before), ",", name, "\" may name tasks or a job"),
                 absl::StrCat("write ", CleanText(parts[0]), ".[", CleanText(parts[1]), ",", name,
                              "] for tasks, or a space before a job"));
}

absl::StatusOr<std::vector<uint64_t>> FindPart(ApiClient& api, const Word& word,
                                               const std::string& part) {
  uint64_t first = 0;
  uint64_t last = 0;
  int32_t steps_back = 0;
  if (part == "last" ||
      (absl::StartsWith(part, "last~") && absl::SimpleAtoi(part.substr(5), &steps_back) &&
       steps_back >= 0 && steps_back < kStepsBackMax)) {
    ASSIGN_OR_RETURN(first, FindMine(api, "", steps_back));
    return std::vector<uint64_t>{first};
  }
  if (absl::StartsWith(part, "@") && part.size() > 1) {
    ASSIGN_OR_RETURN(first, FindMine(api, part.substr(1), 0));
    return std::vector<uint64_t>{first};
  }
  const std::vector<std::string> task = absl::StrSplit(part, absl::MaxSplits('.', 1));
  if (task.size() == 2) {
    return FindTask(api, word, part, task);
  }
  const std::vector<std::string> ends = absl::StrSplit(part, absl::MaxSplits('-', 1));
  if (!absl::SimpleAtoi(ends[0], &first) || first == 0 ||
      (ends.size() == 2 && !absl::SimpleAtoi(ends[1], &last))) {
    return NoSuchForm(word, part);
  }
  last = ends.size() == 2 ? last : first;
  if (last < first || last - first >= kRangeMax) {
    return ErrorAt(word.origin,
                   absl::StrCat("the range ", CleanText(part), " is empty or too large"),
                   absl::StrCat("name at most ", kRangeMax, " jobs at once"));
  }
  std::vector<uint64_t> ids(last - first + 1);
  std::iota(ids.begin(), ids.end(), first);
  return ids;
}

}  // namespace

absl::StatusOr<std::vector<uint64_t>> FindJobIds(ApiClient& api, const std::vector<Word>& words) {
  std::vector<uint64_t> ids;
  std::set<uint64_t> seen;
  for (const Word& word : words) {
    for (const std::string& part : std::vector<std::string>(absl::StrSplit(word.text, ','))) {
      ASSIGN_OR_RETURN(const std::vector<uint64_t> found, FindPart(api, word, part));
      std::copy_if(found.begin(), found.end(), std::back_inserter(ids),
                   [&](uint64_t id) { return seen.insert(id).second; });
    }
  }
  return ids;
}

absl::StatusOr<std::vector<NamedTasks>> TakeTasks(std::vector<Word>& words) {
  std::vector<NamedTasks> tasks;
  std::vector<Word> jobs;
  for (const Word& word : words) {
    std::string before;
    for (const std::string& name : SplitNames(word.text)) {
      RETURN_IF_ERROR(CheckMeaning(word, before, name));
      before = name;
      const std::vector<std::string> parts = absl::StrSplit(name, absl::MaxSplits('.', 1));
      NamedTasks named;
      if (parts.size() == 2 && !parts[1].empty() && absl::SimpleAtoi(parts[0], &named.array)) {
        ASSIGN_OR_RETURN(named.indexes, TaskIndexes(word, name, parts[1]));
        tasks.push_back(std::move(named));
      } else {
        jobs.push_back({.text = name, .origin = word.origin});
      }
    }
  }
  words = std::move(jobs);
  return tasks;
}

absl::StatusOr<uint64_t> FindJobId(ApiClient& api, const Word& word) {
  ASSIGN_OR_RETURN(const std::vector<uint64_t> ids, FindJobIds(api, {word}));
  if (ids.size() != 1) {
    return ErrorAt(word.origin, "name one job");
  }
  return ids[0];
}

}  // namespace berth
