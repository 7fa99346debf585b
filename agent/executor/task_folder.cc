#include "agent/executor/task_folder.h"

#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

#include "agent/shim/shim_protocol.h"
#include "common/status_macros.h"
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace berth {
namespace {

// There while the work folder is a copy of what was uploaded.
constexpr char kUploadMark[] = "uploaded";

absl::Status MakeFolder(const std::string& path, mode_t mode) {
  if (mkdir(path.c_str(), mode) == 0 || errno == EEXIST) {
    return absl::OkStatus();
  }
  return absl::ErrnoToStatus(errno, absl::StrCat("cannot make ", path));
}

// A folder that the task may write.
absl::Status MakeTaskOwned(const std::string& path, const TaskOwner& owner) {
  RETURN_IF_ERROR(MakeFolder(path, 0750));
  if (owner.user_id >= 0 && lchown(path.c_str(), static_cast<uid_t>(owner.user_id),
                                   static_cast<gid_t>(owner.group_id)) != 0) {
    return absl::ErrnoToStatus(errno, absl::StrCat("cannot give ", path, " to the task's user"));
  }
  return absl::OkStatus();
}

std::string JobPath(absl::string_view data_dir, uint64_t job) {
  return absl::StrCat(data_dir, "/jobs/", job);
}

}  // namespace

std::string TaskFolder::PathOf(absl::string_view data_dir, uint64_t job, int attempt) {
  return absl::StrCat(JobPath(data_dir, job), "/", attempt);
}

std::string TaskFolder::LogPathIn(absl::string_view folder, int rank) {
  return absl::StrFormat("%s/rank-%05d.log", folder, rank);
}

std::string TaskFolder::LogPathOf(absl::string_view data_dir, uint64_t job, int attempt, int rank) {
  return LogPathIn(PathOf(data_dir, job, attempt), rank);
}

absl::StatusOr<TaskFolder> TaskFolder::Make(absl::string_view data_dir, uint64_t job, int attempt,
                                            const TaskOwner& owner) {
  const std::string path = PathOf(data_dir, job, attempt);
  const std::string output = JobPath(data_dir, job) + "/output";
  RETURN_IF_ERROR(MakeFolder(JobPath(data_dir, job), 0711));
  RETURN_IF_ERROR(MakeFolder(path, 0711));
  RETURN_IF_ERROR(MakeTaskOwned(output, owner));
  RETURN_IF_ERROR(MakeTaskOwned(path + "/work", owner));
  RETURN_IF_ERROR(MakeTaskOwned(path + "/tmp", owner));
  return Open(data_dir, job, attempt);
}

absl::StatusOr<TaskFolder> TaskFolder::Open(absl::string_view data_dir, uint64_t job, int attempt) {
  std::string path = PathOf(data_dir, job, attempt);
  const int descriptor = open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) {
    return absl::ErrnoToStatus(errno, absl::StrCat("cannot open ", path));
  }
  return TaskFolder(descriptor, std::move(path), JobPath(data_dir, job) + "/output");
}

TaskFolder::TaskFolder(int descriptor, std::string path, std::string output)
    : descriptor_(descriptor), path_(std::move(path)), output_(std::move(output)) {}

TaskFolder::TaskFolder(TaskFolder&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)),
      path_(std::move(other.path_)),
      output_(std::move(other.output_)) {}

TaskFolder& TaskFolder::operator=(TaskFolder&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  std::swap(path_, other.path_);
  std::swap(output_, other.output_);
  return *this;
}

TaskFolder::~TaskFolder() {
  if (descriptor_ >= 0) {
    close(descriptor_);
  }
}

std::vector<std::string> TaskFolder::task_owned() const {
  return {work(), scratch(), absl::StrCat(path_, "/", kImageFolderName), output_};
}

absl::StatusOr<Descriptor> TaskFolder::OpenForUpload() const {
  RETURN_IF_ERROR(WriteFile(kUploadMark, "", 0600));
  Descriptor folder(openat(descriptor_, "work", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
  if (!folder.is_open()) {
    return absl::ErrnoToStatus(errno, absl::StrCat("cannot open ", work()));
  }
  return folder;
}

absl::Status TaskFolder::WriteToken(absl::string_view token, const TaskOwner& owner) const {
  RETURN_IF_ERROR(WriteFile(kTokenFileName, token, 0400));
  if (owner.user_id >= 0 &&
      fchownat(descriptor_, kTokenFileName, static_cast<uid_t>(owner.user_id),
               static_cast<gid_t>(owner.group_id), AT_SYMLINK_NOFOLLOW) != 0) {
    return absl::ErrnoToStatus(errno, "cannot give the job's token to the task's user");
  }
  return absl::OkStatus();
}

bool TaskFolder::HasToken() const {
  return faccessat(descriptor_, kTokenFileName, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

absl::Status TaskFolder::WriteFile(const char* name, absl::string_view content, int mode) const {
  const int file =
      openat(descriptor_, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode);
  if (file < 0) {
    return absl::ErrnoToStatus(errno, absl::StrCat("cannot write ", path_, "/", name));
  }
  // Whatever the agent's umask is, the task's user must be able to read what is for it.
  const bool is_for_task = (mode & 0077) != 0;
  const bool open_to_task = !is_for_task || fchmod(file, static_cast<mode_t>(mode)) == 0;
  const ssize_t written = open_to_task ? write(file, content.data(), content.size()) : -1;
  const int error = errno;
  close(file);
  if (written != static_cast<ssize_t>(content.size())) {
    return absl::ErrnoToStatus(written < 0 ? error : ENOSPC,
                               absl::StrCat("cannot write ", path_, "/", name));
  }
  return absl::OkStatus();
}

void TaskFolder::Drop() const {
  for (const char* name :
       {kTaskFileName, kStartFileName, kExitFileName, kStopFileName, kSocketFileName,
        kNoticeSocketName, kInputSocketName, kTokenFileName, "hosts", "script"}) {
    unlinkat(descriptor_, name, 0);
  }
  // Mostly empty, and mostly not there.
  for (const std::string& folder : {scratch(), path_ + "/" + kImageFolderName}) {
    if (rmdir(folder.c_str()) != 0 && errno != ENOENT) {
      std::error_code ignored;
      std::filesystem::remove_all(folder, ignored);
    }
  }
  if (faccessat(descriptor_, kUploadMark, F_OK, AT_SYMLINK_NOFOLLOW) == 0) {
    std::error_code ignored;
    std::filesystem::remove_all(work(), ignored);
    unlinkat(descriptor_, kUploadMark, 0);
  }
}

}  // namespace berth
