#ifndef BERTH_SCHEDULER_CORE_ALLOCATION_H_
#define BERTH_SCHEDULER_CORE_ALLOCATION_H_

// An attempt's share of one node: which devices, from when to when, for whom.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

#include "scheduler/core/ids.h"
#include "scheduler/core/lifecycle.h"
#include "scheduler/core/resources.h"

namespace berth {

// The only facts that free an allocation (protocol.md, "Lease", rules a to e).
enum class ReleaseEvidence {
  kNone,
  kReported,       // a: the agent's terminal report, or "never ran" for a kill
  kRebooted,       // b: a hello with a new boot id
  kNodeLost,       // c: silent for longer than any lease
  kFenced,         // d: a fence hook switched the node off
  kConfirmedDead,  // e: the operator said so
};

struct DeviceShare {
  int index = 0;
  int milli = kWholeDeviceMilli;
  std::string uuid;  // as it was when allocated: the record outlives the inventory
};

struct Allocation {
  AllocationId id;
  JobId job;
  int attempt = 0;
  int rank = 0;
  NodeId node;
  TenantId tenant;
  ProjectId project;
  ClassId device_class;
  std::vector<DeviceShare> devices;  // by index
  HostResources host;
  AllocationState state = AllocationState::kReserved;
  int64_t assign_seq = 0;
  absl::Time reserved_at = absl::InfinitePast();
  absl::Time released_at = absl::InfinitePast();
  ReleaseEvidence evidence = ReleaseEvidence::kNone;

  // Not durable: when the assignment or the kill was last sent in this session.
  absl::Time sent_at = absl::InfinitePast();
  // Not durable: its agent said in this life of the scheduler that it has the task.
  bool confirmed = false;
};

// Holds its devices, and is not giving them back.
inline bool IsKept(AllocationState state) {
  return state != AllocationState::kReleased && state != AllocationState::kReleasing;
}

absl::string_view Name(ReleaseEvidence evidence);
std::optional<ReleaseEvidence> FindReleaseEvidence(absl::string_view name);

}  // namespace berth

#endif  // BERTH_SCHEDULER_CORE_ALLOCATION_H_
