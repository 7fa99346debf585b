#include "scheduler/store/ballast.h"

#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

namespace berth {
namespace {

constexpr mode_t kOwnerOnly = 0600;
constexpr int kBlockBytes = 512;  // of st_blocks

}  // namespace

Ballast::Ballast(std::string path, int64_t room_bytes)
    : path_(std::move(path)), room_bytes_(room_bytes) {}

bool Ballast::DiskHasRoom() const {
  struct statvfs disk = {};
  const std::string folder = path_.substr(0, path_.rfind('/') + 1);
  if (statvfs(folder.empty() ? "." : folder.c_str(), &disk) != 0) {
    return false;
  }
  const double free_bytes = static_cast<double>(disk.f_bavail) * static_cast<double>(disk.f_frsize);
  return free_bytes >= 2.0 * static_cast<double>(room_bytes_);
}

bool Ballast::Take() {
  if (is_held_ || room_bytes_ == 0) {
    return true;
  }
  const int file = open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, kOwnerOnly);
  if (file < 0) {
    return false;
  }
  struct stat found = {};
  const bool is_whole = fstat(file, &found) == 0 && found.st_size == room_bytes_ &&
                        static_cast<int64_t>(found.st_blocks) * kBlockBytes >= room_bytes_;
  if (is_whole) {
    is_held_ = true;
  } else if (DiskHasRoom()) {
    is_held_ =
        ftruncate(file, 0) == 0 && posix_fallocate(file, 0, room_bytes_) == 0 && fsync(file) == 0;
  }
  close(file);
  return is_held_;
}

absl::Status Ballast::Release() {
  is_held_ = false;
  const int file = open(path_.c_str(), O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
  if (file < 0) {
    // It was never taken.
    return errno == ENOENT ? absl::OkStatus()
                           : absl::ErrnoToStatus(errno, absl::StrCat("cannot open ", path_));
  }
  // The synchronization lets a journaling file system hand the blocks out again.
  const bool is_given_up = ftruncate(file, 0) == 0 && fsync(file) == 0;
  const int error = errno;
  close(file);
  return is_given_up ? absl::OkStatus()
                     : absl::ErrnoToStatus(error, absl::StrCat("cannot shorten ", path_));
}

}  // namespace berth
