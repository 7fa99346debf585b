// The part of AgentCore that hears what became of tasks and devices on the node.

#include <string>
#include <utility>
#include <variant>

#include "agent/core/agent_core.h"
#include "agent/core/task_lifecycle.h"

namespace berth {

AgentOutput AgentCore::OnTask(const TaskEvent& event, int64_t at_us) {
  AgentOutput output;
  at_us_ = at_us;
  std::visit(
      [&](const auto& kind) {
        const auto task = tasks_.find(kind.allocation_id);
        if (task != tasks_.end() && !HasEnded(task->second.state)) {
          Handle(task->second, kind, output);
        }
      },
      event);
  return output;
}

DevicesInUse AgentCore::FindDevicesInUse() const {
  DevicesInUse in_use;
  for (const auto& [id, task] : tasks_) {
    if (HasEnded(task.state)) {
      continue;
    }
    for (const v1::DeviceAssignment& device : task.assignment.devices()) {
      in_use.all.insert(device.uuid());
      if (task.state != v1::TASK_STATE_JOURNALED) {
        in_use.begun.insert(device.uuid());
      }
    }
  }
  return in_use;
}

AgentOutput AgentCore::OnNodeFault(uint64_t allocation_id, absl::string_view why, int64_t at_us) {
  AgentOutput output;
  at_us_ = at_us;
  v1::Assignment about;
  about.set_allocation_id(allocation_id);
  if (const auto task = tasks_.find(allocation_id); task != tasks_.end()) {
    about = task->second.assignment;
  }
  v1::Report report = ReportOf(about, v1::REPORT_KIND_QUARANTINE);
  report.set_message(std::string(why));
  Send(std::move(report), output);
  return output;
}

void AgentCore::Handle(Task& task, const TaskPrepared& event, AgentOutput& output) {
  if (task.state != v1::TASK_STATE_JOURNALED) {
    return;
  }
  if (task.assignment.start_at_once()) {
    Advance(task.state, v1::TASK_STATE_SPAWNED);
    return;
  }
  Advance(task.state, v1::TASK_STATE_PREPARED);
  const int known_port = state_.tasks.at(event.allocation_id).rendezvous_port;
  if (event.rendezvous_port != known_port) {
    Record(RendezvousReserved{event.allocation_id, event.rendezvous_port}, true, output);
  }
  v1::Report report = ReportOf(task.assignment, v1::REPORT_KIND_PREPARED);
  report.set_rendezvous_address(event.rendezvous_address);
  report.set_rendezvous_port(event.rendezvous_port);
  Send(std::move(report), output);
}

void AgentCore::Handle(Task& task, const TaskRefused& event, AgentOutput& output) {
  Advance(task.state,
          task.state == v1::TASK_STATE_JOURNALED ? v1::TASK_STATE_FENCED : v1::TASK_STATE_EXITED);
  v1::Report report = ReportOf(task.assignment, v1::REPORT_KIND_REFUSED);
  report.set_refusal(event.refusal);
  report.set_message(event.message);
  task.end_report = Send(std::move(report), output);
}

void AgentCore::Handle(Task& task, const TaskStarted& /*event*/, AgentOutput& output) {
  if (task.state == v1::TASK_STATE_SPAWNED) {
    Advance(task.state, v1::TASK_STATE_RUNNING);
  } else if (task.state != v1::TASK_STATE_STOPPING) {
    return;
  }
  Send(ReportOf(task.assignment, v1::REPORT_KIND_STARTED), output);
}

void AgentCore::Handle(Task& task, const TaskEnded& event, AgentOutput& output) {
  Advance(task.state, v1::TASK_STATE_EXITED);
  const bool stopped = event.stop_reason != v1::STOP_REASON_UNSPECIFIED || event.node_fault;
  v1::Report report =
      ReportOf(task.assignment, stopped ? v1::REPORT_KIND_KILLED : v1::REPORT_KIND_EXITED);
  report.set_exit_code(event.exit_code);
  report.set_signal(event.signal);
  report.set_stop_reason(event.stop_reason);
  report.set_exec_failed(event.exec_failed);
  report.set_out_of_memory(event.out_of_memory);
  report.set_failed_rank(event.failed_rank);
  report.set_message(event.message);
  report.set_log_tail(event.log_tail);
  if (event.notice.count() > 0) {
    *report.mutable_notice() = event.notice;
  }
  task.end_report = Send(std::move(report), output);
}

void AgentCore::Handle(Task& task, const TaskLost& /*event*/, AgentOutput& output) {
  Advance(task.state, task.before_reboot ? v1::TASK_STATE_LOST_REBOOT : v1::TASK_STATE_LOST_SHIM);
  v1::Report report = ReportOf(task.assignment, task.before_reboot ? v1::REPORT_KIND_LOST_REBOOT
                                                                   : v1::REPORT_KIND_LOST_SHIM);
  report.set_message(task.before_reboot ? "the node rebooted"
                                        : "the task's supervisor is gone and left no record");
  task.end_report = Send(std::move(report), output);
}

}  // namespace berth
