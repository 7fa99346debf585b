#ifndef BERTH_AGENT_TASK_RUNNER_H_
#define BERTH_AGENT_TASK_RUNNER_H_

// Carries out what the agent's core decides: folders, shims, and what the shims tell. Owned by the
// Agent; the loop's thread only.

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"

#include "agent/core/agent_core.h"
#include "agent/disk_watch.h"
#include "agent/executor/entry_process.h"
#include "agent/executor/event_loop.h"
#include "agent/task_launcher.h"
#include "agent/workdir_fetch.h"
#include "common/program.h"

namespace berth {

class TaskRunner {
 public:
  using Listener = std::function<void(const TaskEvent&)>;

  // `listener` is called on the loop's thread, never from inside Run or Adopt.
  TaskRunner(TaskLauncher launcher, EventLoop& loop, Listener listener);
  TaskRunner(const TaskRunner&) = delete;
  TaskRunner& operator=(const TaskRunner&) = delete;
  // Gives up folders that are on their way. Requires: the loop runs no task of it afterwards.
  ~TaskRunner();

  // The devices at hand by index, from now on.
  void SetDevices(std::map<int, v1::Device> devices) { launcher_.SetDevices(std::move(devices)); }

  void Run(const TaskAction& action);

  // Finds a task of an earlier agent: its state if its shim lives, the end it recorded, or
  // TaskLost. Neither: some of it does not die at once, and the listener hears of the end later.
  struct Adopted {
    std::optional<v1::TaskState> state;
    std::optional<TaskEvent> end;
  };
  Adopted Adopt(const JournaledTask& task);
  // After the last Adopt: tasks that left control groups here and whose shim was not found.
  std::vector<uint64_t> FindStrays();
  // Ends what is left of one; the listener hears TaskLost then.
  void EndStray(uint64_t id);

  // A device has failed: ends the tasks on it, as a fault of the node's.
  void FailDevice(int index, const std::string& why);
  // Asked before a task starts: why its device cannot be handed on yet; empty: it can.
  void SetDeviceGate(std::function<std::string(int index)> gate) { gate_ = std::move(gate); }
  // Called before a task's end is told, so that a fault that caused it is known by then.
  void SetBeforeEnd(std::function<void()> look) { before_end_ = std::move(look); }
  // How uploaded folders come here.
  using MakeFetch = std::function<std::shared_ptr<WorkdirFetch>(WorkdirOrder)>;
  void SetWorkdirs(MakeFetch fetch) { make_fetch_ = std::move(fetch); }
  // Called when the node is not to be trusted with more: what a task (0: none) has to do with it.
  using FaultListener = std::function<void(uint64_t allocation, const std::string& why)>;
  void SetOnNodeFault(FaultListener fault) { node_fault_ = std::move(fault); }
  // Called when a killed task does not die.
  void SetOnStuck(std::function<void(const v1::Assignment&)> stuck) { stuck_ = std::move(stuck); }

  // Called with what a task tells of itself.
  void SetOnNotice(std::function<void(v1::TaskNotice)> notice) { notice_ = std::move(notice); }

  // What runs, and how much of the disk it may have; `node_max`: bytes of any task, 0: no bound.
  std::vector<DiskTask> ListDiskTasks(int64_t node_max) const;
  void EndForDisk(const DiskVerdict& verdict);

  // What it takes to enter a running task as the request, whose rank is resolved, asks. NotFound,
  // FailedPrecondition: it does not run here, or not in a way that can be entered so.
  absl::StatusOr<EntryTarget> FindEntry(uint64_t allocation_id,
                                        const v1::EnterJobRequest& request) const;

  // At the agent's end; tasks go on.
  void Close() { launcher_.isolation().Close(); }

 private:
  // What a dead task leaves is gone within milliseconds, unless a process hangs in the kernel.
  static constexpr absl::Duration kReleasePatience = absl::Seconds(60);

  void Act(const PrepareTask& action);
  // Once the task's devices are clean, or refuses it when they do not become so in time.
  void PrepareWhenClean(const PrepareTask& action, absl::Time give_up);
  void Prepare(const PrepareTask& action);
  // With its image at hand, if it asked for one: brings the folder that was uploaded for it.
  void FetchWorkdir(LaunchedTask task, absl::Duration lease_deadline);
  static v1::Refusal WorkdirRefusal(const absl::Status& status);
  absl::StatusOr<std::shared_ptr<WorkdirFetch>> BeginFetch(LaunchedTask& task);
  // With that, too.
  void Launch(LaunchedTask task, absl::Duration lease_deadline);
  // A task that waits is done with it. False: it was stopped meanwhile, and is refused.
  bool EndWait(uint64_t id);
  void Act(const RunTask& action);
  void Act(const StopTask& action);
  void Act(const SetLease& action);
  void Act(const DropTask& action);

  void WatchShim(const LaunchedTask& task);
  void OnShim(uint64_t id);
  void OnNotice(const LaunchedTask& task, const ShimNotice& notice);
  void OnShimEvent(LaunchedTask& task, const ShimEvent& event);
  void OnShimEnded(uint64_t id);
  // Removes what the kernel keeps of a task, again and again until nothing of it runs; then `done`.
  void Release(uint64_t id, absl::Time give_up, std::function<void()> done);
  // Removes what the kernel keeps for tasks to come, once none has come for a while.
  void TidyLater();
  // Waits for that, but not for long. Returns: whether nothing of it runs.
  bool ReleaseNow(uint64_t id);
  // -1: the task does not run, or its shim is of a version that does not say.
  static pid_t InitOf(const ShimEvent& event);
  // As the shim recorded it; TaskLost without a record.
  TaskEvent EndOf(const v1::Assignment& assignment, const TaskFile& file) const;
  void Tell(TaskEvent event);

  TaskLauncher launcher_;
  EventLoop& loop_;
  const Listener listener_;
  std::function<std::string(int)> gate_ = [](int) { return std::string(); };
  std::function<void()> before_end_ = [] {};
  FaultListener node_fault_ = [](uint64_t, const std::string&) {};
  std::function<void(const v1::Assignment&)> stuck_ = [](const v1::Assignment&) {};
  std::function<void(v1::TaskNotice)> notice_ = [](const v1::TaskNotice&) {};
  std::map<uint64_t, LaunchedTask> tasks_;  // by allocation
  ImageStore images_;
  MakeFetch make_fetch_;
  std::map<uint64_t, std::shared_ptr<WorkdirFetch>> fetches_;  // under way
  ProgramThreads fetch_threads_;
  std::map<uint64_t, absl::Duration> waiting_;  // for devices, image or folder: their leases
  std::set<uint64_t> stopped_early_;            // of those that wait
  bool tidies_ = false;                         // a timer will
};

}  // namespace berth

#endif  // BERTH_AGENT_TASK_RUNNER_H_
