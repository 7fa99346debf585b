#include "scheduler/store/file_steps.h"

#include <array>
#include <cerrno>
#include <cstdlib>
#include <system_error>

#include "absl/strings/str_cat.h"

#include "common/descriptor.h"
#include "common/error_detail.h"
#include "common/status_macros.h"
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace berth {
namespace {

constexpr size_t kCopyBytes = 1 << 16;

absl::Status CannotWrite(const std::string& path) {
  return SystemError(errno, absl::StrCat("cannot write \"", path, "\""));
}

absl::Status CopyBytes(int from, int to, const std::string& from_path, const std::string& to_path) {
  std::array<char, kCopyBytes> buffer = {};
  while (true) {
    const ssize_t count = read(from, buffer.data(), buffer.size());
    if (count == 0) {
      return fsync(to) == 0 ? absl::OkStatus() : CannotWrite(to_path);
    }
    if (count < 0 && errno != EINTR) {
      return SystemError(errno, absl::StrCat("cannot read \"", from_path, "\""));
    }
    if (count > 0 && !WriteWhole(to, buffer.data(), static_cast<size_t>(count))) {
      return CannotWrite(to_path);
    }
  }
}

absl::Status SyncOpened(int file, const std::string& path) {
  const bool is_durable = file >= 0 && fsync(file) == 0;
  const int error = errno;
  close(file);
  return is_durable ? absl::OkStatus()
                    : SystemError(error, absl::StrCat("cannot make \"", path, "\" durable"));
}

}  // namespace

absl::Status Refuse(absl::string_view code, absl::string_view message, absl::string_view why,
                    absl::string_view fix) {
  return MakeError(absl::StatusCode::kFailedPrecondition, {code, message, why, fix});
}

absl::Status SystemError(int error, absl::string_view message) {
  const bool is_full = error == ENOSPC || error == EDQUOT;
  return MakeError(
      is_full ? absl::StatusCode::kResourceExhausted : absl::StatusCode::kFailedPrecondition,
      {"B8209", message, std::generic_category().message(error),
       is_full ? "free space on that file system" : "check the path, and who owns its folder"});
}

std::string FolderOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
}

absl::StatusOr<std::string> MakeDraft(const std::string& path) {
  std::string draft = absl::StrCat(path, ".new-XXXXXX");
  const int file = mkostemp(draft.data(), O_CLOEXEC);
  if (file < 0) {
    return SystemError(errno, absl::StrCat("cannot create \"", path, "\""));
  }
  close(file);
  return draft;
}

absl::Status PublishDraft(const std::string& draft, const std::string& path) {
  const int result = link(draft.c_str(), path.c_str());
  const int error = errno;
  unlink(draft.c_str());
  if (result != 0 && error == EEXIST) {
    return absl::AlreadyExistsError(absl::StrCat("\"", path, "\" exists"));
  }
  if (result != 0) {
    return SystemError(error, absl::StrCat("cannot create \"", path, "\""));
  }
  return SyncFolder(FolderOf(path));
}

absl::Status CopyFile(const std::string& from, const std::string& to) {
  const int source = open(from.c_str(), O_RDONLY | O_CLOEXEC);
  if (source < 0) {
    return SystemError(errno, absl::StrCat("cannot read \"", from, "\""));
  }
  const int target = open(to.c_str(), O_WRONLY | O_CLOEXEC | O_NOFOLLOW | O_TRUNC);
  const absl::Status status = target < 0 ? CannotWrite(to) : CopyBytes(source, target, from, to);
  close(source);
  close(target);
  return status;
}

absl::Status SyncFile(const std::string& path) {
  return SyncOpened(open(path.c_str(), O_RDONLY | O_CLOEXEC), path);
}

absl::Status SyncFolder(const std::string& folder) {
  return SyncOpened(open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC), folder);
}

}  // namespace berth
