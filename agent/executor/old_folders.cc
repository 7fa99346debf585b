#include "agent/executor/old_folders.h"

#include <filesystem>
#include <set>
#include <string>
#include <system_error>

#include "absl/strings/str_cat.h"

#include "agent/executor/log_archive.h"
#include "agent/shim/shim_protocol.h"
#include <sys/stat.h>

namespace berth {
namespace {

namespace fs = std::filesystem;

bool IsNumber(const std::string& name) {
  return !name.empty() && name.find_first_not_of("0123456789") == std::string::npos;
}

// Attempts' folders are the agent's: no job can make its own look young or old.
bool IsOver(const fs::path& job, absl::Time before) {
  std::error_code error;
  for (const fs::directory_entry& attempt : fs::directory_iterator(job, error)) {
    if (!IsNumber(attempt.path().filename())) {
      continue;
    }
    struct stat facts {};
    // The agent removes the task's file when the scheduler knows of the end.
    const bool under_way = fs::exists(attempt.path() / kTaskFileName, error);
    if (under_way || lstat(attempt.path().c_str(), &facts) != 0 ||
        absl::TimeFromTimespec(facts.st_mtim) >= before) {
      return false;
    }
  }
  return !error;
}

}  // namespace

int RemoveOldJobFolders(const std::string& data_dir, absl::Time before,
                        const std::atomic<bool>& stop) {
  std::set<std::string> unarchived;
  for (const UnarchivedLogs& logs : ListUnarchived(data_dir)) {
    unarchived.insert(absl::StrCat(logs.job));
  }
  int removed = 0;
  std::error_code error;
  for (const fs::directory_entry& job :
       fs::directory_iterator(absl::StrCat(data_dir, "/jobs"), error)) {
    if (stop) {
      break;
    }
    if (IsNumber(job.path().filename()) && !unarchived.contains(job.path().filename()) &&
        IsOver(job.path(), before)) {
      std::error_code ignored;  // tried again at the next look
      fs::remove_all(job.path(), ignored);
      removed += ignored ? 0 : 1;
    }
  }
  return removed;
}

}  // namespace berth
