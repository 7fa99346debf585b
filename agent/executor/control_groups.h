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
#include "agent/executor/group_limits.h"
#include "agent/executor/spare_groups.h"

namespace berth {

// Names of facilities, as they stand in a node's facts.
inline constexpr char kFacilityCpu[] = "cgroup-cpu";
inline constexpr char kFacilityMemory[] = "cgroup-memory";
inline constexpr char kFacilityPids[] = "cgroup-pids";
inline constexpr char kFacilityDevices[] = "cgroup-devices";
inline constexpr char kFacilityKill[] = "cgroup-kill";

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

  // The folders of a group with these limits, one per hierarchy that it needs. What an earlier
  // group of that name left is killed and replaced.
  absl::StatusOr<std::vector<std::string>> Make(uint64_t allocation, const GroupLimits& limits);
  // Removes the group, or keeps it for another task, if it is empty; else kills what is in it.
  // True: nothing of the task is left.
  bool Remove(uint64_t allocation);
  // Removes the group if it is empty, else leaves it.
  bool RemoveEmpty(uint64_t allocation);
  // Whether there are groups that are kept for other tasks.
  bool has_spare() const { return !spare_.empty(); }
  // Removes those that no task got since the last call.
  void Tidy() { spare_.Tidy(); }
  // Removes them and this agent's folder, if no task's group is in it.
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
  absl::StatusOr<std::vector<std::string>> MakeNew(uint64_t allocation, const GroupLimits& limits);
  // Those that this task needs.
  TaskGroups GroupsFor(uint64_t allocation, const GroupLimits& limits) const;
  // Another task may follow in them: in version 2 it would see what the one before has used.
  bool MayBeKept(const GroupLimits& limits) const;

  std::vector<Hierarchy> hierarchies_;
  std::vector<std::string> facilities_;
  std::map<std::string, std::string> missing_;
  std::map<uint64_t, TaskGroups> to_keep_;  // of tasks that have not ended, by allocation
  SpareGroups spare_;
};

}  // namespace berth

#endif  // BERTH_AGENT_EXECUTOR_CONTROL_GROUPS_H_
