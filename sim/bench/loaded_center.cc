#include "sim/bench/loaded_center.h"

#include <algorithm>
#include <variant>
#include <vector>

#include "common/check.h"

namespace berth {
namespace {

constexpr absl::Duration kBetweenSubmissions = absl::Milliseconds(100);

}  // namespace

LoadedCenter::LoadedCenter(const sim::Workload& workload)
    : workload_(workload),
      center_(workload.center, static_cast<int64_t>(workload.jobs.size()) + 1, now_) {
  TakeChanges();
}

int64_t LoadedCenter::ready_groups() const {
  int64_t count = 0;
  for (const auto& [id, group] : engine().cluster().groups()) {
    count += group.ready.empty() ? 0 : 1;
  }
  return count;
}

int64_t LoadedCenter::pending() const {
  int64_t count = 0;
  for (const auto& [tenant, number] : center_.tenant_numbers()) {
    count += engine().cluster().PendingCount(tenant);
  }
  return count;
}

void LoadedCenter::SubmitUntilPending(int64_t count) {
  for (int64_t missing = count - pending(); missing > 0; --missing) {
    BERTH_CHECK(next_ < workload_.jobs.size());
    BERTH_CHECK(center_.Submit(workload_.jobs[next_++], now_).ok());
    now_ += kBetweenSubmissions;
  }
  EndOverdue();
  TakeChanges();
}

void LoadedCenter::EndOverdue() {
  std::vector<JobId> overdue;
  for (const auto& [device_class, name] : engine().cluster().classes()) {
    for (const auto& [end, job] : engine().cluster().EndsOf(device_class)) {
      if (end.first > now_) {
        break;
      }
      overdue.push_back(end.second);
    }
  }
  for (const JobId job : overdue) {
    EndJob(job);
  }
}

void LoadedCenter::Settle() {
  for (std::vector<NodeCommand> commands = center_.engine().TakeCommands(); !commands.empty();
       commands = center_.engine().TakeCommands()) {
    for (const NodeCommand& command : commands) {
      std::visit([&](const auto& kind) { Obey(command, kind); }, command.kind);
    }
  }
  TakeChanges();
  now_ += absl::Milliseconds(1);
}

void LoadedCenter::EndJob(JobId job) {
  const std::vector<AllocationId> members = engine().cluster().GetJob(job).allocations;
  for (const AllocationId member : members) {
    Report(engine().cluster().GetAllocation(member).node, member, ReportKind::kExited);
  }
}

void LoadedCenter::Obey(const NodeCommand& command, const AssignTask& assign) {
  Report(command.node, assign.allocation.id,
         assign.start_at_once ? ReportKind::kStarted : ReportKind::kPrepared);
}

void LoadedCenter::Obey(const NodeCommand& command, const StartTask& start) {
  Report(command.node, start.allocation, ReportKind::kStarted);
}

void LoadedCenter::Obey(const NodeCommand& command, const KillTask& kill) {
  Report(command.node, kill.allocation, ReportKind::kKilled, kill.reason);
}

void LoadedCenter::Report(NodeId node, AllocationId id, ReportKind kind, StopReason reason) {
  const Allocation* allocation = engine().cluster().FindAllocation(id);
  if (allocation == nullptr || allocation->state == AllocationState::kReleased) {
    return;
  }
  TaskReport report;
  report.kind = kind;
  report.allocation = id;
  report.job = allocation->job;
  report.attempt = allocation->attempt;
  report.stop_reason = reason;
  center_.Report(node, report, now_);
}

}  // namespace berth
