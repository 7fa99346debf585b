#ifndef BERTH_SIM_BENCH_LAUNCH_TIMES_H_
#define BERTH_SIM_BENCH_LAUNCH_TIMES_H_

// What an agent's launches of tasks consist of, seen from outside, from the machine's process
// events: agent -forks-> shim -forks-> init -forks-> command. The shim is forked by the shims'
// template, but as a child of the agent's, and the kernel says no more.

#include <map>
#include <vector>

#include "absl/time/time.h"

#include "sim/bench/process_events.h"

namespace berth {

// One task of one process, since a moment that all events share.
struct LaunchTimes {
  absl::Duration shim_fork;
  absl::Duration init_fork;
  absl::Duration command_fork;
  absl::Duration command_exec;
  absl::Duration command_exit;
  absl::Duration init_exit;
  absl::Duration shim_exit;
};

// One thread.
class LaunchWatch {
 public:
  explicit LaunchWatch(pid_t agent) : agent_(agent) {}

  // In the order of time; events of other processes are passed over.
  void Add(const std::vector<ProcessEvent>& events);
  // The launches that were seen from the shim's fork to its end, and whose command was executed.
  const std::vector<LaunchTimes>& whole() const { return whole_; }

 private:
  struct Launch {
    pid_t init = 0;
    pid_t command = 0;
    LaunchTimes times;
  };
  void OnFork(const ProcessEvent& event);
  void OnExec(const ProcessEvent& event);
  void OnExit(const ProcessEvent& event);
  // The launch that the process belongs to; null: none.
  Launch* Find(pid_t pid);

  const pid_t agent_;
  std::map<pid_t, Launch> launches_;  // by shim
  std::map<pid_t, pid_t> shim_of_;    // of a shim, an init, a command
  std::vector<LaunchTimes> whole_;
};

}  // namespace berth

#endif  // BERTH_SIM_BENCH_LAUNCH_TIMES_H_
