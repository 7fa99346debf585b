#ifndef BERTH_SCHEDULER_CONTROL_LOOP_TURN_H_
#define BERTH_SCHEDULER_CONTROL_LOOP_TURN_H_

// One turn of the control loop. Seen by the loop's own files only.

#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"

#include "scheduler/control_loop.h"

namespace berth {

struct ControlLoop::Turn {
  absl::Time now;
  std::vector<SubmissionRecord> submissions;
  std::vector<AuditEntry> audits;
  std::map<std::pair<TenantId, std::string>, const SubmissionRecord*> keys;  // of `submissions`
  std::vector<std::function<void()>> replies;
  std::vector<std::function<void(const ReadView&)>> reads;
  std::vector<JobWait> waits;
  std::vector<LinkUse> link_uses;
  Changes changes;
  bool ends_recovery = false;

  bool HasWrites() const {
    return !changes.empty() || !submissions.empty() || !audits.empty() || ends_recovery;
  }
};

// Memory is ahead of disk: going on would tell somebody what a restart does not know.
[[noreturn]] void StopProcess(const absl::Status& status);
// Why nothing more is taken in.
absl::Status DiskFull();

}  // namespace berth

#endif  // BERTH_SCHEDULER_CONTROL_LOOP_TURN_H_
