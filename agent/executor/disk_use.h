#ifndef BERTH_AGENT_EXECUTOR_DISK_USE_H_
#define BERTH_AGENT_EXECUTOR_DISK_USE_H_

// What a task takes of the node's disk.

#include <atomic>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

namespace berth {

struct DiskUseOrder {
  std::vector<std::string>
      folders;  // its own, all on one disk; those that are not there have nothing
  std::vector<std::string>
      groups;  // its control groups; none: files that it holds open are not seen
};

// Its folders are nested too deep to be looked into, which nobody needs who hides nothing.
inline constexpr int64_t kDiskUseHidden = std::numeric_limits<int64_t>::max();

// Bytes of blocks on the folders' disk: files in the folders, each inode once, and files without a
// name that a process of the task holds open or has mapped. Blocks; any thread; reads names and
// sizes only, through no link. Returns early once `stop` is set.
int64_t MeasureDiskUse(const DiskUseOrder& order, const std::atomic<bool>& stop);

}  // namespace berth

#endif  // BERTH_AGENT_EXECUTOR_DISK_USE_H_
