#include "scheduler/upload_files.h"

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "common/descriptor.h"
#include "common/error_detail.h"
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace berth {

absl::Status CannotKeepUpload(int error) {
  const bool is_full = error == ENOSPC || error == EDQUOT;
  return MakeError(is_full ? absl::StatusCode::kResourceExhausted : absl::StatusCode::kInternal,
                   {.code = "B8107",
                    .message = "the scheduler cannot keep the upload",
                    .why = std::generic_category().message(error),
                    .fix = "the center's operators must look at the disk of the scheduler's data "
                           "folder; jobs without an upload are not affected"});
}

std::vector<std::string> NamesIn(const std::string& folder) {
  std::vector<std::string> names;
  DIR* const opened = opendir(folder.c_str());
  if (opened == nullptr) {
    return names;
  }
  while (const dirent* entry = readdir(opened)) {
    const std::string name = entry->d_name;
    if (name != "." && name != "..") {
      names.push_back(name);
    }
  }
  closedir(opened);
  std::sort(names.begin(), names.end());
  return names;
}

absl::Status SyncUploadFolder(const std::string& path) {
  const Descriptor folder(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  return folder.is_open() && fsync(folder.get()) == 0 ? absl::OkStatus() : CannotKeepUpload(errno);
}

absl::Status WriteAll(int file, absl::string_view data) {
  return WriteWhole(file, data.data(), data.size()) ? absl::OkStatus() : CannotKeepUpload(errno);
}

bool Touch(const std::string& path, absl::Time now) {
  const timespec at = absl::ToTimespec(now);
  const timespec times[2] = {at, at};
  return utimensat(AT_FDCWD, path.c_str(), times, AT_SYMLINK_NOFOLLOW) == 0;
}

}  // namespace berth
