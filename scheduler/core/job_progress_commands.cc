// What a gang's nodes are told.

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/check.h"
#include "scheduler/core/job_progress.h"

namespace berth {
namespace {

StopReason ToStopReason(EndReason reason) {
  switch (reason) {
    case EndReason::kCancelled:
      return StopReason::kCancelled;
    case EndReason::kTimeLimit:
      return StopReason::kTimeLimit;
    case EndReason::kPreempted:
      return StopReason::kPreempted;
    case EndReason::kBudget:
      return StopReason::kBudget;
    case EndReason::kAdmin:
      return StopReason::kAdmin;
    case EndReason::kNone:
    case EndReason::kExit:
    case EndReason::kSignal:
    case EndReason::kOom:
    case EndReason::kNodeFault:
    case EndReason::kImageError:
    case EndReason::kPrepareTimeout:
    case EndReason::kDependency:
    case EndReason::kLaunchError:
    case EndReason::kDiskLimit:
    case EndReason::kIdle:
      return StopReason::kGang;
  }
  return StopReason::kGang;
}

}  // namespace

bool IsShrinking(const Step& step, const Allocation& allocation) {
  const JobState state = step.cluster.GetJob(allocation.job).state;
  return allocation.state == AllocationState::kReleasing &&
         (state == JobState::kRunning || state == JobState::kWaitNode);
}

void SendAssignment(const Step& step, AllocationId id) {
  const Allocation& allocation = step.cluster.GetAllocation(id);
  if (!step.cluster.GetNode(allocation.node).session) {
    return;
  }
  const Job& job = step.cluster.GetJob(allocation.job);
  if (allocation.state == AllocationState::kReserved) {
    step.cluster.MoveAllocation(id, AllocationState::kSent);
  }
  step.cluster.MarkSent(id, step.now);
  AssignTask assign;
  assign.allocation = allocation;
  assign.device_classes.assign(allocation.devices.size(),
                               step.cluster.ClassName(allocation.device_class));
  assign.time_limit = job.spec.time_limit;
  assign.grace = job.spec.grace;
  assign.lease = absl::Milliseconds(job.spec.lease_ms);
  assign.hold_on_node_loss = job.spec.on_node_loss == NodeLossPolicy::kHold;
  assign.tenant = step.cluster.quota().FindTenant(job.spec.tenant)->name;
  assign.project = step.cluster.quota().FindProject(job.spec.project)->name;
  assign.user = step.cluster.FindUser(job.spec.user)->name;
  assign.job_name = job.spec.name;
  assign.node_count = static_cast<int>(job.allocations.size());
  assign.start_at_once = job.allocations.size() == 1;
  step.Send(allocation.node, std::move(assign));
}

void SendStart(const Step& step, AllocationId id) {
  const Allocation& allocation = step.cluster.GetAllocation(id);
  const Job& job = step.cluster.GetJob(allocation.job);
  step.cluster.MarkSent(id, step.now);
  StartTask start{.allocation = id,
                  .attempt = allocation.attempt,
                  .members = {},
                  .rendezvous_address = job.attempt.rendezvous_address,
                  .rendezvous_port = job.attempt.rendezvous_port};
  for (AllocationId member_id : job.allocations) {
    const Allocation& member = step.cluster.GetAllocation(member_id);
    const Node& node = step.cluster.GetNode(member.node);
    start.members.push_back(
        {member.rank, node.name, node.facts.address, static_cast<int>(member.devices.size())});
  }
  step.Send(allocation.node, std::move(start));
}

void SendKill(const Step& step, AllocationId id) {
  const Allocation& allocation = step.cluster.GetAllocation(id);
  const Job& job = step.cluster.GetJob(allocation.job);
  step.cluster.MarkSent(id, step.now);
  KillTask kill{.allocation = id,
                .job = allocation.job,
                .attempt = allocation.attempt,
                .reason = job.attempt.stop_reason != StopReason::kNone
                              ? job.attempt.stop_reason
                              : ToStopReason(job.attempt.end.reason),
                .grace = job.attempt.stop_grace,
                .message = job.attempt.end.message};
  if (IsShrinking(step, allocation)) {
    kill.reason = StopReason::kShrink;
    kill.message = "the gang goes on with fewer nodes";
  }
  step.Send(allocation.node, std::move(kill));
}

void ShrinkJob(const Step& step, JobId id, int members, absl::Duration grace,
               absl::string_view message) {
  const Job& job = step.cluster.GetJob(id);
  BERTH_CHECK(job.state == JobState::kRunning && !job.allocations.empty());
  std::vector<AllocationId> running;  // by rank
  for (AllocationId member : job.allocations) {
    if (step.cluster.GetAllocation(member).state == AllocationState::kRunning) {
      running.push_back(member);
    }
  }
  const int least = job.spec.gang.least_nodes();
  members = std::min(members, static_cast<int>(running.size()) - least);
  step.cluster.SetStop(id, grace, StopReason::kNone);
  for (; members > 0 && running.back() != job.allocations.front(); --members, running.pop_back()) {
    const Allocation& member = step.cluster.GetAllocation(running.back());
    step.cluster.MoveAllocation(member.id, AllocationState::kReleasing);
    step.cluster.MarkSent(member.id, step.now);
    step.Send(member.node, KillTask{.allocation = member.id,
                                    .job = id,
                                    .attempt = member.attempt,
                                    .reason = StopReason::kShrink,
                                    .grace = grace,
                                    .message = std::string(message)});
  }
}

}  // namespace berth
