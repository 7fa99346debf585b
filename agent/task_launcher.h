#ifndef BERTH_AGENT_TASK_LAUNCHER_H_
#define BERTH_AGENT_TASK_LAUNCHER_H_

// Makes everything a task needs on this node and starts its shim: folder, script, user, sandbox,
// rendezvous port, environments. Owned by the TaskRunner; the loop's thread only.

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"

#include "agent/core/agent_core.h"
#include "agent/executor/image_store.h"
#include "agent/executor/isolation.h"
#include "agent/executor/rendezvous_port.h"
#include "agent/executor/shim_process.h"
#include "agent/executor/shim_starter.h"
#include "agent/executor/task_folder.h"
#include "agent/executor/task_users.h"
#include "agent/shim/probe.h"
#include "proto/agent_api.pb.h"
#include "proto/job.pb.h"

namespace berth {

// Whether the task has only a share of the device, beside others of its project.
inline bool IsShare(const v1::DeviceAssignment& device) {
  return device.milli() > 0 && device.milli() < 1000;
}

struct LaunchOptions {
  std::string data_dir;
  std::string lock_dir;
  std::string shim_path;
  std::string server;   // HOST:PORT of the scheduler
  std::string ca_file;  // of its certificate; empty: none
  std::string node;
  std::string address;
  std::map<std::string, std::string> environment;  // the operator's, for every task
  PortRange ports;
  int64_t log_segment_bytes = 0;  // 0: no bound
  int64_t log_segments_max = 0;   // of a rank
  bool archives_logs = false;     // tasks' logs go into an archive when they have ended
  v1::HostResources capacity;     // of the whole node
  // The one user of all tasks, where the operator names one; -1: `users` tells.
  TaskOwner owner;
  TaskUsers users;
  std::string user_name;  // of `owner` or of the agent; empty: the center's name of the job's user
  std::string home;       // empty: the task's working folder
  ImageOptions images;
};

// A task as the agent runs it.
struct LaunchedTask {
  v1::Assignment assignment;
  v1::JobSpec spec;
  std::string job_token;  // until it is in the task's folder
  Image image;            // no root: the node's own
  std::unique_ptr<TaskFolder> folder;
  std::unique_ptr<ShimProcess> shim;
  TaskFile file;  // what the shim was told
  int rendezvous_port = 0;
  int port_tries = 0;
  pid_t init = -1;                     // of the task, once it runs
  std::optional<TaskRefused> refused;  // said when the shim has ended
  std::string fault;                   // of a device of its own while it ran
};

class TaskLauncher {
 public:
  TaskLauncher(LaunchOptions options, Isolation isolation)
      : options_(std::move(options)),
        isolation_(std::move(isolation)),
        shims_(std::make_unique<ShimStarter>(options_.shim_path,
                                             isolation_.Has(kFacilityCapabilities))) {}

  const LaunchOptions& options() const { return options_; }
  Isolation& isolation() { return isolation_; }
  // The devices at hand by index, from now on.
  void SetDevices(std::map<int, v1::Device> devices) { devices_ = std::move(devices); }

  // Why a task cannot have the devices that it was assigned; empty: they are here.
  std::string WhyNotHere(const v1::Assignment& assignment) const;

  // What the first task would wait for.
  absl::Status WarmUp() { return shims_->StartTemplate(); }
  // The task's folder, without what an earlier task of the same numbers left. Requires:
  // task.assignment and task.spec are set.
  absl::Status MakeFolder(LaunchedTask& task) const;
  TaskOwner OwnerOf(const v1::Assignment& assignment) const;
  // Everything up to a running shim, the folder if there is none. Requires: as MakeFolder.
  absl::Status Prepare(LaunchedTask& task, absl::Duration lease_deadline);
  // What a prepared task reads when it is told to start.
  absl::Status WriteStart(const LaunchedTask& task, const v1::Start& start) const;
  // Another task was quicker with the port that the shim names: a new shim with the next port.
  // False: it was another lock, or there are no more ports.
  bool TryNextPort(LaunchedTask& task, const ShimEvent& event);

 private:
  absl::Status WriteScript(LaunchedTask& task) const;
  absl::Status MakeSandbox(LaunchedTask& task);
  absl::Status ReservePort(LaunchedTask& task) const;
  absl::Status StartShim(LaunchedTask& task) const;
  v1::Start StartOfSingle(const LaunchedTask& task) const;
  std::vector<std::vector<std::string>> Environments(const LaunchedTask& task,
                                                     const v1::Start& start) const;
  // The part of the node's `whole` that a task of so many devices may count on.
  int64_t ShareOf(const v1::Assignment& assignment, int64_t whole) const;

  const LaunchOptions options_;
  Isolation isolation_;
  std::unique_ptr<ShimStarter> shims_;
  std::map<int, v1::Device> devices_;
};

// As the shim takes it: CLOCK_BOOTTIME, 0 for none.
int64_t LeaseNs(absl::Duration deadline);

}  // namespace berth

#endif  // BERTH_AGENT_TASK_LAUNCHER_H_
