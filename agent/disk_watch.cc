#include "agent/disk_watch.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

#include "agent/executor/old_folders.h"
#include "agent/shim/shim_protocol.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/quantity.h"
#include <sys/statvfs.h>

namespace berth {
namespace {

constexpr absl::Duration kTick = absl::Seconds(1);
constexpr absl::Duration kSweepInterval = absl::Hours(1);
constexpr absl::Duration kPause = absl::Seconds(5);  // between two measurements
// A measurement of many files takes long: at most one part in so many of the time goes to it.
constexpr int kIdleShare = 20;
constexpr int64_t kCauseShare = 10;    // of the reserve, at least, has who is ended for it
constexpr int64_t kReserveShare = 10;  // of the disk, at most, is the reserve

std::string UseText(int64_t bytes) {
  return bytes == kDiskUseHidden ? "more than can be counted (its folders are nested too deep)"
                                 : FormatSize(bytes);
}

}  // namespace

std::vector<DiskVerdict> JudgeDisk(const std::vector<DiskTask>& tasks, int64_t free,
                                   int64_t reserve) {
  const bool is_short = free < reserve;
  std::vector<DiskVerdict> verdicts;
  for (const DiskTask& task : tasks) {
    if (task.bytes_max > 0 && task.bytes > task.bytes_max) {
      verdicts.push_back(
          {task.allocation_id, is_short,
           absl::StrCat("it had ", UseText(task.bytes), " on the node's disk, and may have ",
                        FormatSize(task.bytes_max))});
    }
  }
  if (!verdicts.empty() || !is_short || tasks.empty()) {
    return verdicts;
  }
  const auto most =
      std::max_element(tasks.begin(), tasks.end(),
                       [](const DiskTask& a, const DiskTask& b) { return a.bytes < b.bytes; });
  if (most->bytes >= reserve / kCauseShare) {
    verdicts.push_back(
        {most->allocation_id, true,
         absl::StrCat("the node's disk has ", FormatSize(free),
                      " left, and this task has most of it: ", UseText(most->bytes))});
  }
  return verdicts;
}

DiskWatch::DiskWatch(const DiskOptions& options, std::string data_dir, EventLoop& loop,
                     Actions actions)
    : options_(options),
      data_dir_(std::move(data_dir)),
      loop_(loop),
      actions_(std::move(actions)) {}

void DiskWatch::Start() {
  Look();
  Sweep();
}

void DiskWatch::Sweep() {
  loop_.RunAfter(kSweepInterval, [this] { Sweep(); });
  threads_.Start([this] {
    const int removed = RemoveOldJobFolders(data_dir_, absl::Now() - options_.keep, stop_);
    if (removed > 0) {
      LogInfo("folders of old jobs removed", {
                                                 {"jobs", removed}
      });
    }
  });
}

DiskWatch::Room DiskWatch::LookAtDisk() const {
  struct statvfs disk {};
  if (statvfs(data_dir_.c_str(), &disk) != 0) {
    return {};
  }
  const auto block = static_cast<int64_t>(disk.f_frsize);
  return {.free = static_cast<int64_t>(disk.f_bavail) * block,
          .reserve = std::min(options_.reserve,
                              static_cast<int64_t>(disk.f_blocks) * block / kReserveShare)};
}

void DiskWatch::Look() {
  loop_.RunAfter(kTick, [this] { Look(); });
  const bool is_short = LookAtDisk().is_short();
  if (measuring_ || (!is_short && SystemClock().SinceBoot() < next_look_)) {
    return;
  }
  std::vector<DiskTask> tasks = actions_.list();
  std::erase_if(ended_, [&tasks](uint64_t id) {
    return std::none_of(tasks.begin(), tasks.end(),
                        [id](const DiskTask& task) { return task.allocation_id == id; });
  });
  std::erase_if(tasks, [&](const DiskTask& task) {
    return ended_.contains(task.allocation_id) || (!is_short && task.bytes_max == 0);
  });
  // One that ends makes room first: the next is not judged by what that one had.
  if (!tasks.empty() && (!is_short || ended_.empty())) {
    Measure(std::move(tasks), is_short);
  }
}

void DiskWatch::Measure(std::vector<DiskTask> tasks, bool is_short) {
  measuring_ = true;
  threads_.Start([this, tasks = std::move(tasks), is_short]() mutable {
    const absl::Duration begin = SystemClock().SinceBoot();
    if (is_short && actions_.make_room()) {
      tasks.clear();
    }
    for (DiskTask& task : tasks) {
      task.bytes = MeasureDiskUse(task.order, stop_);
    }
    const absl::Duration end = SystemClock().SinceBoot();
    if (stop_) {
      return;
    }
    loop_.Post([this, tasks = std::move(tasks), begin, end] {
      measuring_ = false;
      next_look_ = end + std::max(kPause, (end - begin) * kIdleShare);
      Judge(tasks);
    });
  });
}

void DiskWatch::Judge(const std::vector<DiskTask>& tasks) {
  const Room room = LookAtDisk();
  for (const DiskVerdict& verdict : JudgeDisk(tasks, room.free, room.reserve)) {
    LogWarning("a task ends for what it has on the disk",
               {
                   {"allocation", verdict.allocation_id},
                   {"why",        verdict.why          }
    });
    ended_.insert(verdict.allocation_id);
    actions_.end(verdict);
  }
}

}  // namespace berth
