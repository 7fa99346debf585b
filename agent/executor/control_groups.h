#ifndef BERTH_AGENT_EXECUTOR_CONTROL_GROUPS_H_
#define BERTH_AGENT_EXECUTOR_CONTROL_GROUPS_H_

// The control groups of this agent's tasks: PARENT/NAME/ALLOCATION in version 2's hierarchy, or in
// each of version 1's. The kernel's files are the only state, so that a restarted agent finds what
// an earlier one has left. Owned by Isolation; the loop's thread only.

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "agent/executor/control_group_mounts.h"
#include "agent/executor/device_rules.h"

namespace berth {

// Names of facilities, as they stand in a node's facts.
inline constexpr char kFacilityCpu[] = "cgroup-cpu";
inline constexpr char kFacilityMemory[] = "cgroup-memory";
inline constexpr char kFacilityPids[] = "cgroup-pids";
inline constexpr char kFacilityDevices[] = "cgroup-devices";
inline constexpr char kFacilityKill[] = "cgroup-kill";

struct GroupLimits {
  int64_t cpu_milli = 0;            // never more than this; 0: no bound
  int64_t cpu_share_milli = 0;      // against other tasks when processors are scarce; 0: the usual
  int64_t memory_bytes = 0;         // without swap; 0: no bound
  int64_t processes_max = 0;        // threads counted; 0: no bound
  bool end_with_init = false;       // the end of its init ends every process: no freezer is needed
  std::vector<DeviceRule> devices;  // nothing else can be opened
};

struct ControlGroupOptions {
  std::string root;  // before /proc/self and the mounts' paths; for tests
  // As in /proc/self/cgroup; empty: the group the agent was started in. Version 2 must have it.
  std::string parent;
  std::string name;  // of this agent's folder; distinct among the agents of a machine
};

class ControlGroups {
 public:
  // Finds the hierarchies, makes this agent's folder in them and tries what they can do. What does
  // not work is left out and named in missing(); with nothing at all, Make returns no folder.
  static ControlGroups Open(const ControlGroupOptions& options);

  // Facilities that work, and those that do not with the reason.
  const std::vector<std::string>& facilities() const { return facilities_; }
  const std::map<std::string, std::string>& missing() const { return missing_; }

  // The folders of a new group with these limits, one per hierarchy that it needs. What an earlier
  // group of that name left is killed and replaced.
  absl::StatusOr<std::vector<std::string>> Make(uint64_t allocation, const GroupLimits& limits);
  // Removes the group if it is empty, else kills what is in it. True: it is gone.
  bool Remove(uint64_t allocation);
  // Removes this agent's folder, if no task's group is in it.
  void Close();
  // Of every group that is there, in order.
  std::vector<uint64_t> Allocations() const;

 private:
  struct Hierarchy {
    std::string folder;                    // this agent's own in it
    std::vector<std::string> controllers;  // that are used here, in order
    bool unified = false;                  // version 2
  };

  void AddHierarchy(const GroupHierarchy& found, const ControlGroupOptions& options,
                    std::vector<std::string> controllers);
  // Passes the controllers on to the groups below a folder of version 2; those that do not go leave
  // the list.
  void PassOn(const std::string& folder, std::vector<std::string>& controllers);
  void Try();
  std::vector<std::string> FoldersOf(absl::string_view group) const;
  absl::Status SetLimits(const Hierarchy& hierarchy, const std::string& folder,
                         const GroupLimits& limits) const;

  std::vector<Hierarchy> hierarchies_;
  std::vector<std::string> facilities_;
  std::map<std::string, std::string> missing_;
};

}  // namespace berth

#endif  // BERTH_AGENT_EXECUTOR_CONTROL_GROUPS_H_
