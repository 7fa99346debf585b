#ifndef BERTH_AGENT_TASK_RUNNER_H_
#define BERTH_AGENT_TASK_RUNNER_H_

// Carries out what the agent's core decides: folders, shims, and what the shims tell. Owned by the
// Agent; the loop's thread only.

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "agent/core/agent_core.h"
#include "agent/executor/environment.h"
#include "agent/executor/event_loop.h"
#include "agent/executor/rendezvous_port.h"
#include "agent/executor/shim_process.h"
#include "agent/executor/task_folder.h"

namespace berth {

struct TaskRunnerOptions {
  std::string data_dir;
  std::string lock_dir;
  std::string shim_path;
  std::string node;
  std::string address;
  std::map<std::string, std::string> environment;  // the operator's, for every task
  PortRange ports;
  int64_t cpu_milli = 1000;  // of the whole node
  int device_count = 0;      // of the whole node
  TaskOwner owner;
  std::string user_name = "root";
  std::string home = "/root";
};

class TaskRunner {
 public:
  using Listener = std::function<void(const TaskEvent&)>;

  // `listener` is called on the loop's thread, never from inside Run or Adopt.
  TaskRunner(TaskRunnerOptions options, EventLoop& loop, Listener listener);

  // The kinds of the node's devices, by index; as of the last inventory.
  void SetDeviceKinds(std::map<int, v1::DeviceKind> kinds) { device_kinds_ = std::move(kinds); }

  void Run(const TaskAction& action);

  // Finds a task of an earlier agent: its state if its shim lives, the end it recorded, or
  // TaskLost.
  struct Adopted {
    std::optional<v1::TaskState> state;
    std::optional<TaskEvent> end;
  };
  Adopted Adopt(const JournaledTask& task);

 private:
  struct Task {
    v1::Assignment assignment;
    v1::JobSpec spec;
    std::unique_ptr<TaskFolder> folder;
    std::unique_ptr<ShimProcess> shim;
    TaskFile file;  // what the shim was told
    int rendezvous_port = 0;
    int port_tries = 0;
    std::optional<TaskRefused> refused;  // said when the shim has ended
  };

  void Act(const PrepareTask& action);
  void Act(const StartTask& action);
  void Act(const StopTask& action);
  void Act(const SetLease& action);
  void Act(const DropTask& action);

  absl::Status Prepare(Task& task, absl::Duration lease_deadline);
  absl::Status WriteScript(Task& task) const;
  absl::Status ReservePort(Task& task) const;
  absl::Status StartShim(Task& task);
  void WatchShim(Task& task);
  void OnShim(uint64_t id);
  void OnShimEvent(Task& task, const ShimEvent& event);
  void OnShimEnded(uint64_t id);
  // Another task was quicker with the port: the same again with the next one.
  bool TryNextPort(Task& task, const ShimEvent& event);
  std::vector<std::vector<std::string>> Environments(const Task& task,
                                                     const v1::Start& start) const;
  v1::Start StartOfSingle(const Task& task) const;
  static TaskEvent EndOf(uint64_t id, const TaskFolder& folder);
  void Tell(TaskEvent event);

  const TaskRunnerOptions options_;
  EventLoop& loop_;
  const Listener listener_;
  std::map<int, v1::DeviceKind> device_kinds_;
  std::map<uint64_t, Task> tasks_;  // by allocation
};

}  // namespace berth

#endif  // BERTH_AGENT_TASK_RUNNER_H_
