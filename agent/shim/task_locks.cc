#include "agent/shim/task_locks.h"

#include <cerrno>
#include <cstring>
#include <vector>

#include <fcntl.h>
#include <sys/file.h>

namespace berth {
namespace {

std::optional<LockRefusal> TakeLocks(const std::vector<std::string>& paths, int kind) {
  for (const std::string& path : paths) {
    const int file = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (file < 0) {
      return LockRefusal{ShimEvent::Kind::kFailed, path + ": " + std::strerror(errno)};
    }
    if (flock(file, kind | LOCK_NB) != 0) {
      return LockRefusal{ShimEvent::Kind::kLockHeld, path};
    }
  }
  return std::nullopt;
}

}  // namespace

std::optional<LockRefusal> TakeTaskLocks(const TaskFile& task) {
  auto refusal = TakeLocks(task.lock_paths, LOCK_EX);
  return refusal.has_value() ? refusal : TakeLocks(task.shared_lock_paths, LOCK_SH);
}

}  // namespace berth
