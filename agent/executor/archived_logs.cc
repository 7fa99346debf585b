#include "agent/executor/archived_logs.h"

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

#include "agent/shim/shim_protocol.h"
#include "common/descriptor.h"
#include "common/status_macros.h"
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace berth {
namespace {

namespace fs = std::filesystem;

constexpr size_t kFolderDepth = 3;  // TENANT/JOB/ATTEMPT

std::string RecordsPath(absl::string_view data_dir) {
  return absl::StrCat(data_dir, "/archived");
}

absl::Status Cannot(absl::string_view what) {
  return absl::ErrnoToStatus(errno, absl::StrCat("cannot ", what));
}

bool IsName(absl::string_view name) {
  return !name.empty() && name != "." && name != ".." && !absl::StrContains(name, '/');
}

// The records made before that time, the oldest first.
std::vector<std::string> FindOld(const std::string& folder, absl::Time before) {
  std::vector<std::pair<absl::Time, std::string>> old;
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error)) {
    struct stat facts {};
    const std::string path = entry->path().string();
    if (lstat(path.c_str(), &facts) == 0 && S_ISREG(facts.st_mode) &&
        absl::TimeFromTimespec(facts.st_mtim) < before) {
      old.emplace_back(absl::TimeFromTimespec(facts.st_mtim), path);
    }
  }
  std::sort(old.begin(), old.end());
  std::vector<std::string> paths;
  paths.reserve(old.size());
  for (auto& [at, path] : old) {
    paths.push_back(std::move(path));
  }
  return paths;
}

// Unlinks the names in the folder, then the folders on the way that are empty.
absl::Status RemoveFrom(const std::string& log_dir, const std::vector<std::string>& folders,
                        const std::vector<std::string>& names) {
  std::vector<Descriptor> way;
  way.emplace_back(open(log_dir.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  for (const std::string& folder : folders) {
    if (way.back().is_open()) {
      way.emplace_back(openat(way.back().get(), folder.c_str(),
                              O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
    }
  }
  if (!way.back().is_open()) {
    // Not where the archive itself is away.
    return errno == ENOENT && way.size() > 1 ? absl::OkStatus()
                                             : Cannot(absl::StrCat("enter ", log_dir));
  }
  for (const std::string& name : names) {
    if (unlinkat(way.back().get(), name.c_str(), 0) != 0 && errno != ENOENT) {
      return Cannot(absl::StrCat("remove ", name, " from the archive"));
    }
  }
  for (size_t depth = folders.size(); depth > 0; --depth) {
    if (unlinkat(way[depth - 1].get(), folders[depth - 1].c_str(), AT_REMOVEDIR) != 0) {
      break;  // others have logs there
    }
  }
  return absl::OkStatus();
}

// A record that cannot be read as one is removed: a crash left a part of it.
absl::Status RemoveRecorded(const std::string& record, const std::string& log_dir) {
  const std::string text = ReadFileAt(AT_FDCWD, record.c_str()).value_or("");
  std::vector<std::string> names = absl::StrSplit(text, '\n', absl::SkipEmpty());
  const std::vector<std::string> folders = absl::StrSplit(names.empty() ? "" : names.front(), '/');
  names.erase(names.begin(), names.begin() + (names.empty() ? 0 : 1));
  if (folders.size() == kFolderDepth && std::all_of(folders.begin(), folders.end(), IsName) &&
      std::all_of(names.begin(), names.end(), IsName)) {
    RETURN_IF_ERROR(RemoveFrom(log_dir, folders, names));
  }
  return unlink(record.c_str()) == 0 ? absl::OkStatus() : Cannot(absl::StrCat("remove ", record));
}

}  // namespace

absl::Status RecordArchived(absl::string_view data_dir, absl::string_view attempt,
                            absl::string_view folder, const std::vector<std::string>& names) {
  const std::string records = RecordsPath(data_dir);
  if (mkdir(records.c_str(), 0700) != 0 && errno != EEXIST) {
    return Cannot(absl::StrCat("make ", records));
  }
  const std::string path = absl::StrCat(records, "/", attempt);
  const std::string text = absl::StrCat(folder, "\n", absl::StrJoin(names, "\n"), "\n");
  const Descriptor record(
      open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
  return record.is_open() && WriteWhole(record.get(), text.data(), text.size())
             ? absl::OkStatus()
             : Cannot(absl::StrCat("write ", path));
}

absl::Status RemoveArchived(const std::string& data_dir, const std::string& log_dir,
                            absl::Time before, const std::atomic<bool>& stop) {
  absl::Status status;
  for (const std::string& record : FindOld(RecordsPath(data_dir), before)) {
    if (stop) {
      break;
    }
    status.Update(RemoveRecorded(record, log_dir));
  }
  return status;
}

}  // namespace berth
