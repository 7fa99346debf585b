#ifndef BERTH_AGENT_SHIM_TASK_GROUP_H_
#define BERTH_AGENT_SHIM_TASK_GROUP_H_

// The control groups of one task, one folder per hierarchy: a single one with version 2, one per
// controller with version 1. The agent makes and removes them; here they are entered, asked and
// emptied. Plain C++ without libraries. Folders are as the host sees them.

#include <cstdint>
#include <string>
#include <vector>

namespace berth {

// Descriptors that move the process that calls Enter into the groups. Opened while the host's
// folders can still be seen.
class GroupEntry {
 public:
  explicit GroupEntry(const std::vector<std::string>& folders);
  GroupEntry(const GroupEntry&) = delete;
  GroupEntry& operator=(const GroupEntry&) = delete;
  ~GroupEntry();
  // Moves the caller, which has one thread. False: errno says why.
  bool Enter() const;

 private:
  std::vector<int> members_;  // -1: cannot be opened
};

// SIGKILL to every process in the groups, by cgroup.kill where there is one, else frozen first, so
// that none is born meanwhile. Returns at once; the dead may take a while to go.
void KillGroup(const std::vector<std::string>& folders);

// Whether no process is in them; a group that is not there has none. Looks at the first that is
// there: processes enter the groups in order, and leave all by their death.
bool IsGroupEmpty(const std::vector<std::string>& folders);

// How many processes the kernel has ended at the groups' memory limit.
int64_t CountMemoryKills(const std::vector<std::string>& folders);

// How many bytes are charged to a group of version 1's memory controller. 0: it is none.
int64_t UsedMemory(const std::string& folder);

}  // namespace berth

#endif  // BERTH_AGENT_SHIM_TASK_GROUP_H_
