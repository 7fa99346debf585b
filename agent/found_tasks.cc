#include "agent/found_tasks.h"

#include <filesystem>
#include <optional>
#include <string>
#include <system_error>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

#include "agent/executor/task_folder.h"
#include "agent/shim/shim_protocol.h"

namespace berth {
namespace {

using Folders = std::filesystem::directory_iterator;

// The port, an end of line, the assignment.
std::optional<JournaledTask> Decode(absl::string_view text) {
  const size_t end = text.find('\n');
  JournaledTask task;
  if (end == absl::string_view::npos ||
      !absl::SimpleAtoi(text.substr(0, end), &task.rendezvous_port) ||
      !task.assignment.ParseFromString(std::string(text.substr(end + 1)))) {
    return std::nullopt;
  }
  return task;
}

std::optional<JournaledTask> ReadTask(absl::string_view data_dir, uint64_t job, int attempt) {
  const absl::StatusOr<TaskFolder> folder = TaskFolder::Open(data_dir, job, attempt);
  const auto bytes = folder.ok() ? ReadFileAt(folder->descriptor(), kTaskFileName) : std::nullopt;
  const auto file = bytes.has_value() ? DecodeTaskFile(*bytes) : std::nullopt;
  auto task = file.has_value() ? Decode(file->agent_record) : std::nullopt;
  const bool is_its_own =
      task.has_value() && task->assignment.job_id() == job && task->assignment.attempt() == attempt;
  return is_its_own ? std::move(task) : std::nullopt;
}

template <typename Number>
std::optional<Number> NameAsNumber(const std::filesystem::directory_entry& entry) {
  Number number = 0;
  return absl::SimpleAtoi(entry.path().filename().string(), &number) ? std::optional(number)
                                                                     : std::nullopt;
}

}  // namespace

std::string EncodeFoundTask(const JournaledTask& task) {
  return absl::StrCat(task.rendezvous_port, "\n", task.assignment.SerializeAsString());
}

std::vector<JournaledTask> FindTasks(absl::string_view data_dir) {
  std::vector<JournaledTask> tasks;
  std::error_code unreadable;
  for (const auto& job_folder : Folders(absl::StrCat(data_dir, "/jobs"), unreadable)) {
    const auto job = NameAsNumber<uint64_t>(job_folder);
    if (!job.has_value()) {
      continue;
    }
    for (const auto& attempt_folder : Folders(job_folder.path(), unreadable)) {
      const auto attempt = NameAsNumber<int>(attempt_folder);
      auto task = attempt.has_value() ? ReadTask(data_dir, *job, *attempt) : std::nullopt;
      if (task.has_value()) {
        tasks.push_back(*std::move(task));
      }
    }
  }
  return tasks;
}

}  // namespace berth
