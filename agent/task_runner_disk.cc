// The task runner's part with what tasks have on the node's disk.

#include <algorithm>
#include <string>
#include <vector>

#include "agent/shim/shim_protocol.h"
#include "agent/task_runner.h"

namespace berth {
namespace {

// For a last checkpoint, as long as the disk has room for it.
constexpr absl::Duration kDiskGrace = absl::Seconds(10);

}  // namespace

std::vector<DiskTask> TaskRunner::ListDiskTasks(int64_t node_max) const {
  std::vector<DiskTask> list;
  for (const auto& [id, task] : tasks_) {
    const int64_t asked = task.spec.disk_mib() << 20;
    const bool both = asked > 0 && node_max > 0;
    list.push_back({
        .allocation_id = id,
        .bytes_max = both ? std::min(asked, node_max) : std::max(asked, node_max),
        .order = {.folders = task.folder->task_owned(), .groups = task.file.sandbox.groups}
    });
  }
  return list;
}

void TaskRunner::EndForDisk(const DiskVerdict& verdict) {
  Act(StopTask{.allocation_id = verdict.allocation_id,
               .reason = v1::STOP_REASON_DISK_LIMIT,
               .grace = verdict.at_once ? absl::ZeroDuration() : kDiskGrace,
               .message = verdict.why});
}

}  // namespace berth
