// What an agent's life does about tasks, and hears of them.

#include <algorithm>
#include <variant>

#include "common/planted_bug.h"
#include "sim/faults/agent_process.h"
#include "sim/faults/machine.h"

namespace berth::sim {
namespace {

constexpr int64_t kLookAgain = 100 * kMillisecond;
constexpr int64_t kCleanPatience = 10 * kSecond;

}  // namespace

void AgentProcess::Run(const TaskAction& action) {
  std::visit([this](const auto& kind) { Act(kind); }, action);
}

void AgentProcess::Act(const PrepareTask& action) {
  PrepareWhenClean(action, machine_.timeline().now_us() + kCleanPatience);
}

void AgentProcess::PrepareWhenClean(const PrepareTask& action, int64_t give_up_us) {
  const uint64_t id = action.assignment.allocation_id();
  if (stopped_early_.erase(id) > 0) {
    OnShim(TaskRefused{id, v1::REFUSAL_FENCED, "a kill came first"});
    return;
  }
  if (machine_.IsInUse(action.assignment) && !Planted(PlantedBug::kDirtyDevice)) {
    if (machine_.timeline().now_us() > give_up_us) {
      OnStuck(0);
      OnShim(TaskRefused{id, v1::REFUSAL_LOCK_HELD, "processes are on its devices"});
      return;
    }
    waiting_.insert(id);
    After(kLookAgain, [this, action, give_up_us] {
      waiting_.erase(action.assignment.allocation_id());
      PrepareWhenClean(action, give_up_us);
    });
    return;
  }
  machine_.DropFolder(Machine::FolderOf(action.assignment));
  machine_.MakeFolder(action.assignment);
  machine_.MakeGroup(id);
  tasks_.insert(id);
  machine_.StartShim(action.assignment, action.lease_deadline);
  machine_.FindShim(id)->TalkTo(life_);
}

void AgentProcess::Act(const RunTask& action) {
  if (ShimProcess* shim = machine_.FindShim(action.allocation_id);
      shim != nullptr && tasks_.contains(action.allocation_id)) {
    shim->Start();
  }
}

void AgentProcess::Act(const StopTask& action) {
  if (ShimProcess* shim = machine_.FindShim(action.allocation_id);
      shim != nullptr && tasks_.contains(action.allocation_id)) {
    shim->Stop(action.reason, action.grace);
  } else if (waiting_.contains(action.allocation_id)) {
    stopped_early_.insert(action.allocation_id);
  }
}

void AgentProcess::Act(const SetLease& action) {
  if (ShimProcess* shim = machine_.FindShim(action.allocation_id);
      shim != nullptr && tasks_.contains(action.allocation_id)) {
    shim->SetLease(action.deadline);
  }
}

void AgentProcess::Act(const DropTask& action) {
  machine_.DropFolder({action.job_id, action.attempt});
}

void AgentProcess::OnShim(const TaskEvent& event) {
  const int64_t now_us = machine_.timeline().now_us();
  // In order, as on a socket.
  heard_us_ = std::max(heard_us_, now_us + machine_.timeline().Between(10, kMillisecond));
  After(heard_us_ - now_us, [this, event] {
    if (const auto* refused = std::get_if<TaskRefused>(&event)) {
      tasks_.erase(refused->allocation_id);
      machine_.ReleaseGroup(refused->allocation_id);
    }
    OnTask(event);
  });
}

void AgentProcess::OnShimEnded(const v1::Assignment& assignment) {
  // Later than anything that it said before.
  After(2 * kMillisecond, [this, assignment] {
    const uint64_t id = assignment.allocation_id();
    if (tasks_.erase(id) > 0) {
      machine_.ReleaseGroup(id);
      ReportWhenGone(id, EndOf(assignment), kStuckAfter);
    }
  });
}

void AgentProcess::OnStuck(uint64_t allocation) {
  After(0, [this, allocation] {
    machine_.timeline().Note("the agent of node %d asks for its quarantine, allocation %d",
                             static_cast<uint64_t>(machine_.number()), allocation);
    Carry(core_.OnNodeFault(allocation, "a task cannot be killed", machine_.timeline().now_us()));
  });
}

void AgentProcess::ReportWhenGone(uint64_t allocation, const TaskEvent& event,
                                  int64_t patience_us) {
  const bool is_lost = std::holds_alternative<TaskLost>(event);
  if (machine_.ReleaseGroup(allocation) || !is_lost || Planted(PlantedBug::kLostBeforeItIsGone)) {
    OnTask(event);
    return;
  }
  if (patience_us <= 0) {
    OnStuck(allocation);
    patience_us = INT64_MAX;
  }
  After(kLookAgain, [this, allocation, event, patience_us] {
    ReportWhenGone(allocation, event, patience_us - kLookAgain);
  });
}

TaskEvent AgentProcess::EndOf(const v1::Assignment& assignment) const {
  const ExitRecord* record = machine_.FindExit(assignment);
  if (record == nullptr) {
    return TaskLost{assignment.allocation_id()};
  }
  TaskEnded ended;
  ended.allocation_id = assignment.allocation_id();
  ended.exit_code = record->exit_code;
  ended.signal = record->signal;
  ended.failed_rank = record->exit_code != 0 || record->signal != 0 ? 0 : -1;
  ended.stop_reason = record->stop_reason;
  ended.exec_failed = record->exec_failed;
  return ended;
}

}  // namespace berth::sim
