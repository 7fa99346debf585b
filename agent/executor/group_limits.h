#ifndef BERTH_AGENT_EXECUTOR_GROUP_LIMITS_H_
#define BERTH_AGENT_EXECUTOR_GROUP_LIMITS_H_

// What the control groups of one task let it have.

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"

#include "agent/executor/device_rules.h"

namespace berth {

struct GroupLimits {
  int64_t cpu_milli = 0;            // never more than this; 0: no bound
  int64_t cpu_share_milli = 0;      // against other tasks when processors are scarce; 0: the usual
  int64_t memory_bytes = 0;         // without swap; 0: no bound
  int64_t processes_max = 0;        // threads counted; 0: no bound
  bool end_with_init = false;       // the end of its init ends every process: no freezer is needed
  std::vector<DeviceRule> devices;  // nothing else can be opened
  std::string tenant;               // whose next task may follow in them; empty: none may
  friend bool operator==(const GroupLimits&, const GroupLimits&) = default;
};

// Writes what `controllers` limit of it in the group `folder`; `unified`: of version 2.
absl::Status SetLimits(const std::vector<std::string>& controllers, const std::string& folder,
                       bool unified, const GroupLimits& limits);

}  // namespace berth

#endif  // BERTH_AGENT_EXECUTOR_GROUP_LIMITS_H_
