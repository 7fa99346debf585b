#ifndef BERTH_AGENT_EXECUTOR_ISOLATION_H_
#define BERTH_AGENT_EXECUTOR_ISOLATION_H_

// How this node keeps tasks apart from each other and from itself: what works here, what policy
// makes of the rest, and the sandbox of each task. Owned by the TaskRunner; the loop's thread only.

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "agent/executor/control_groups.h"
#include "agent/shim/shim_protocol.h"

namespace berth {

enum class IsolationPolicy {
  kOff,      // a pid namespace where that works, nothing else: for one person's own machine
  kAllow,    // what works; what does not is logged and stands in the node's facts
  kRequire,  // all of it, or the agent does not start
};

struct IsolationOptions {
  IsolationPolicy policy = IsolationPolicy::kAllow;
  std::string group_parent;  // as ControlGroupOptions::parent
  int64_t processes_max = 16384;
  std::vector<std::string> device_files;  // patterns of files in /dev that every task gets
};

// What one task needs beside what all tasks get.
struct TaskNeeds {
  uint64_t allocation_id = 0;
  std::string tenant;
  std::string task_folder;
  std::string output_folder;
  int64_t cpu_milli = 0;        // asked for: a bound; 0: none
  int64_t cpu_share_milli = 0;  // of the node's, against other tasks
  int64_t memory_bytes = 0;     // 0: no bound
  std::vector<std::string> device_files;
};

class Isolation {
 public:
  // Tries everything. `data_dir` holds a folder for the trial meanwhile. FailedPrecondition naming
  // what is missing under kRequire.
  static absl::StatusOr<Isolation> Prepare(const IsolationOptions& options,
                                           const std::string& shim_path,
                                           const std::string& data_dir);

  // Names of what works, for the node's facts.
  const std::vector<std::string>& facilities() const { return facilities_; }
  // Names of what does not, with the reason.
  const std::map<std::string, std::string>& missing() const { return missing_; }
  bool Has(absl::string_view facility) const;
  // Tasks see their folder as kShownTaskFolder and nothing of other tasks' folders.
  bool has_private_mounts() const { return private_mounts_; }

  // Makes the task's control groups. Unavailable: an earlier task is still in them.
  absl::StatusOr<Sandbox> MakeSandbox(const TaskNeeds& needs);
  // Kills whatever is left of the task and removes its control groups. False: something still runs.
  bool Release(uint64_t allocation_id);
  // Whether control groups of ended tasks are kept, which Tidy will remove.
  bool has_spare_groups() const { return groups_.has_value() && groups_->has_spare(); }
  // Removes the control groups that no task got since the last call.
  void Tidy();
  // At the agent's end; what tasks still need stays.
  void Close();
  // Tasks with processes in control groups here that are not among `known`. Groups of such without
  // any, as an earlier agent may have kept them, are removed.
  std::vector<uint64_t> FindStrays(const std::set<uint64_t>& known);

 private:
  explicit Isolation(IsolationOptions options) : options_(std::move(options)) {}
  absl::Status Probe(const std::string& shim_path, const std::string& data_dir);
  absl::Status CheckPolicy() const;

  IsolationOptions options_;
  std::optional<ControlGroups> groups_;  // none under kOff
  std::vector<std::string> facilities_;
  std::map<std::string, std::string> missing_;
  std::string seccomp_program_;
  bool private_mounts_ = false;
};

}  // namespace berth

#endif  // BERTH_AGENT_EXECUTOR_ISOLATION_H_
