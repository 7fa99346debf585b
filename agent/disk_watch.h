#ifndef BERTH_AGENT_DISK_WATCH_H_
#define BERTH_AGENT_DISK_WATCH_H_

// Keeps jobs from filling the node's disk: each task has a bound, when the disk runs short whoever
// has most of it goes, and what ended jobs left goes after a while. Looks now and again, as file
// systems without project quotas leave no other way; what is written between two looks is what the
// reserve is for.

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/time/time.h"

#include "agent/executor/disk_use.h"
#include "agent/executor/event_loop.h"
#include "common/program.h"

namespace berth {

struct DiskOptions {
  absl::Duration keep = absl::Hours(24 * 30);  // what a job left, after its last attempt
  int64_t task_max = 0;                        // bytes of one task; 0: no bound but the job's own
  int64_t reserve = int64_t{1} << 30;          // bytes of the disk that tasks leave free
};

// A task that runs.
struct DiskTask {
  uint64_t allocation_id = 0;
  int64_t bytes_max = 0;  // 0: no bound
  DiskUseOrder order;
  int64_t bytes = 0;  // as measured
};

// A task that must end.
struct DiskVerdict {
  uint64_t allocation_id = 0;
  bool at_once = false;  // there is no room for a grace
  std::string why;
};

// Those beyond their bounds; if there are none and the disk has less than `reserve` bytes free, the
// one that has most, unless that is too little to be the cause.
std::vector<DiskVerdict> JudgeDisk(const std::vector<DiskTask>& tasks, int64_t free,
                                   int64_t reserve);

// Owned by the Agent; the loop's thread.
class DiskWatch {
 public:
  struct Actions {
    std::function<std::vector<DiskTask>()> list;
    std::function<void(const DiskVerdict&)> end;  // once for each task
    // Removes what no task needs. Blocks, on any thread. False: there was nothing.
    std::function<bool()> make_room;
  };

  DiskWatch(const DiskOptions& options, std::string data_dir, EventLoop& loop, Actions actions);
  DiskWatch(const DiskWatch&) = delete;
  DiskWatch& operator=(const DiskWatch&) = delete;
  ~DiskWatch() { stop_ = true; }
  // Looks from now on, for as long as the loop runs.
  void Start();

 private:
  struct Room {
    int64_t free = 0;
    int64_t reserve = 0;  // at most a tenth of the disk
    bool is_short() const { return free < reserve; }
  };
  Room LookAtDisk() const;
  void Look();
  // Removes what jobs left that are over for long.
  void Sweep();
  // `is_short`: no task is judged if there is other room to be made.
  void Measure(std::vector<DiskTask> tasks, bool is_short);
  void Judge(const std::vector<DiskTask>& tasks);

  const DiskOptions options_;
  const std::string data_dir_;
  EventLoop& loop_;
  const Actions actions_;
  std::set<uint64_t> ended_;  // tasks that have been told
  absl::Duration next_look_;  // since boot: not before it, unless the disk is short
  bool measuring_ = false;
  std::atomic<bool> stop_ = false;
  ProgramThreads threads_;
};

}  // namespace berth

#endif  // BERTH_AGENT_DISK_WATCH_H_
