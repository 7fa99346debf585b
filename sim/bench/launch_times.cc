#include "sim/bench/launch_times.h"

namespace berth {

void LaunchWatch::Add(const std::vector<ProcessEvent>& events) {
  for (const ProcessEvent& event : events) {
    switch (event.kind) {
      case ProcessEvent::Kind::kFork:
        OnFork(event);
        break;
      case ProcessEvent::Kind::kExec:
        OnExec(event);
        break;
      case ProcessEvent::Kind::kExit:
        OnExit(event);
        break;
    }
  }
}

LaunchWatch::Launch* LaunchWatch::Find(pid_t pid) {
  const auto shim = shim_of_.find(pid);
  return shim == shim_of_.end() ? nullptr : &launches_.at(shim->second);
}

void LaunchWatch::OnFork(const ProcessEvent& event) {
  if (event.parent == agent_) {
    launches_[event.pid].times.shim_fork = event.at;
    shim_of_[event.pid] = event.pid;
    return;
  }
  Launch* const launch = Find(event.parent);
  if (launch == nullptr) {
    return;
  }
  const pid_t shim = shim_of_.at(event.parent);
  if (event.parent == shim) {
    launch->init = event.pid;
    launch->times.init_fork = event.at;
    shim_of_[event.pid] = shim;
  } else if (event.parent == launch->init) {
    launch->command = event.pid;
    launch->times.command_fork = event.at;
    shim_of_[event.pid] = shim;
  }
}

void LaunchWatch::OnExec(const ProcessEvent& event) {
  Launch* const launch = Find(event.pid);
  if (launch == nullptr || event.pid != launch->command) {
    return;
  }
  // A command may execute another in its place: the first one counts.
  absl::Duration& at = launch->times.command_exec;
  at = at == absl::ZeroDuration() ? event.at : at;
}

void LaunchWatch::OnExit(const ProcessEvent& event) {
  Launch* const launch = Find(event.pid);
  if (launch == nullptr) {
    return;
  }
  const pid_t shim = shim_of_.at(event.pid);
  shim_of_.erase(event.pid);
  if (event.pid == launch->command) {
    launch->times.command_exit = event.at;
  } else if (event.pid == launch->init) {
    launch->times.init_exit = event.at;
  } else {
    launch->times.shim_exit = event.at;
    if (launch->times.command_exec != absl::ZeroDuration()) {
      whole_.push_back(launch->times);
    }
    shim_of_.erase(launch->init);
    shim_of_.erase(launch->command);
    launches_.erase(shim);
  }
}

}  // namespace berth
