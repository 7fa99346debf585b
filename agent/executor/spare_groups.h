#ifndef BERTH_AGENT_EXECUTOR_SPARE_GROUPS_H_
#define BERTH_AGENT_EXECUTOR_SPARE_GROUPS_H_

// Control groups of version 1 whose task has ended, kept for a moment for the next task of the same
// tenant with the same limits: making and removing one in each hierarchy is a tenth of a short
// task's processor time. They keep the name of the task that they were made for until another one
// gets them, so that a restarted agent finds them like any other. Owned by ControlGroups; the
// loop's thread only.

#include <string>
#include <vector>

#include "agent/executor/group_limits.h"

namespace berth {

struct TaskGroups {
  std::vector<std::string> folders;  // one per hierarchy
  std::string memory_folder;         // that of them which counts memory; empty: none
  GroupLimits limits;
};

class SpareGroups {
 public:
  // Gives groups with these limits the names `folders`. False: there are none; whatever was begun
  // is removed.
  bool Take(const GroupLimits& limits, const std::vector<std::string>& folders);
  // False: they are not as good as new, or there are enough; whoever asks removes them.
  bool Keep(TaskGroups groups);
  // Removes those that nobody has taken since the last call.
  void Tidy();
  void Clear();
  bool empty() const { return spare_.empty(); }

 private:
  struct Spare {
    TaskGroups groups;
    bool was_there = false;  // at the last Tidy
  };

  std::vector<Spare> spare_;  // the last kept is taken first
};

}  // namespace berth

#endif  // BERTH_AGENT_EXECUTOR_SPARE_GROUPS_H_
