#ifndef BERTH_SCHEDULER_CORE_NODE_H_
#define BERTH_SCHEDULER_CORE_NODE_H_

// A machine with its devices, as its agent described it.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

#include "scheduler/core/ids.h"
#include "scheduler/core/lifecycle.h"
#include "scheduler/core/resources.h"

namespace berth {

enum class DeviceHealth { kOk, kSuspect, kQuarantined };
enum class DeviceKind { kNvidia, kAscend, kSimulated };

struct Device {
  int index = 0;
  ClassId device_class;
  std::string uuid;
  DeviceKind kind = DeviceKind::kSimulated;
  int64_t memory_mib = 0;
  std::string ring;
  DeviceHealth health = DeviceHealth::kOk;
  std::string health_detail;
  int minor_number = -1;
  std::string part_of = {};  // uuid of the whole device; empty: it is whole. Not durable
};

struct TopologyPath {
  std::string pod;
  std::string block;
  std::string rack;
};

// What the agent found on its machine.
struct NodeFacts {
  std::string hostname;
  std::string address;
  HostResources capacity;
  std::vector<Device> devices;  // by index
  TopologyPath topology;
  std::map<std::string, std::string> labels;
  std::string agent_version;
  std::string kernel;
  std::vector<std::string> facilities;
};

struct Node {
  NodeId id;
  std::string name;
  NodeState state = NodeState::kPending;
  std::string state_detail;  // why drained, quarantined, suspect
  bool drain_requested = false;
  NodeFacts facts;
  std::string boot_id;
  uint64_t incarnation = 0;
  int64_t assign_seq = 0;                          // highest given out
  int64_t report_seq = 0;                          // highest report applied
  absl::Time last_seen_at = absl::InfinitePast();  // wall clock, for display

  // Not durable.
  bool booked_out = false;                         // maintenance has it now
  bool loss_held = false;                          // silent too long, but with many others
  absl::Time lost_at = absl::InfinitePast();       // for its silence; the loop's time
  SessionId session;                               // none: not connected
  absl::Time silent_since = absl::InfinitePast();  // the loop's time of the last message

  // Whether jobs may be placed on it now.
  bool IsUsable() const { return state == NodeState::kReady && !booked_out; }
};

absl::string_view Name(DeviceHealth health);
absl::string_view Name(DeviceKind kind);
std::optional<DeviceHealth> FindDeviceHealth(absl::string_view name);
std::optional<DeviceKind> FindDeviceKind(absl::string_view name);

}  // namespace berth

#endif  // BERTH_SCHEDULER_CORE_NODE_H_
