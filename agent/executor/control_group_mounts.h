#ifndef BERTH_AGENT_EXECUTOR_CONTROL_GROUP_MOUNTS_H_
#define BERTH_AGENT_EXECUTOR_CONTROL_GROUP_MOUNTS_H_

// Where the control group hierarchies of this machine are, read from /proc/self.

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace berth {

struct GroupHierarchy {
  bool unified = false;                  // version 2
  std::vector<std::string> controllers;  // of version 1; version 2 tells its own in a file
  std::string mount_point;
  std::string own_folder;  // the group this process is in, as a folder
};

// Hierarchies that are mounted and can be written, in the order of their mounts. `root` is before
// every path, for tests. A group outside of what is mounted, as in a container, is told as the
// mount point.
std::vector<GroupHierarchy> FindGroupHierarchies(const std::string& root);

// A small file of the kernel's, without the white space around it. Empty if there is none.
std::string ReadGroupFile(const std::string& path);

// One write each: the kernel takes a write as one order.
absl::Status WriteGroupFile(const std::string& path, const std::vector<std::string>& texts);
absl::Status WriteGroupFile(const std::string& path, absl::string_view text);

}  // namespace berth

#endif  // BERTH_AGENT_EXECUTOR_CONTROL_GROUP_MOUNTS_H_
