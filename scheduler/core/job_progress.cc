#include "scheduler/core/job_progress.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

#include "common/check.h"
#include "common/planted_bug.h"
#include "scheduler/core/attempt_end.h"

namespace berth {
namespace {

bool AllMembers(const Cluster& cluster, const Job& job, AllocationState wanted) {
  return std::all_of(job.allocations.begin(), job.allocations.end(), [&](AllocationId id) {
    const AllocationState state = cluster.GetAllocation(id).state;
    return state == wanted || state == AllocationState::kReleased;
  });
}

// Under one process per device the rank counts devices.
int LogRank(const Job& job, const Allocation& allocation, int failed_rank) {
  return job.spec.launch_per_device
             ? allocation.rank * job.spec.gang.devices_per_node + std::max(failed_rank, 0)
             : allocation.rank;
}

bool WantsRequeue(const Job& job) {
  const RequeuePolicy& policy = job.spec.requeue;
  const JobEnd& end = job.attempt.end;
  if (end.reason == EndReason::kAdmin) {
    return true;  // somebody asked for it
  }
  if (job.requeues >= policy.max_requeues) {
    return false;
  }
  switch (end.reason) {
    case EndReason::kNodeFault:
    case EndReason::kPrepareTimeout:
      return policy.on_node_fault && job.spec.on_node_loss != NodeLossPolicy::kFail;
    case EndReason::kPreempted:
      return policy.on_preempt;
    case EndReason::kExit:
      return end.exit_code != 0 &&
             (policy.on_error ||
              std::count(policy.exit_codes.begin(), policy.exit_codes.end(), end.exit_code) > 0);
    case EndReason::kSignal:
    case EndReason::kOom:
    case EndReason::kDiskLimit:
      return policy.on_error;
    case EndReason::kNone:
    case EndReason::kTimeLimit:
    case EndReason::kIdle:
    case EndReason::kBudget:
    case EndReason::kImageError:
    case EndReason::kAdmin:
    case EndReason::kCancelled:
    case EndReason::kDependency:
    case EndReason::kLaunchError:
      return false;
  }
  return false;
}

JobState FinalState(const JobEnd& end) {
  const bool succeeded = end.reason == EndReason::kExit && end.exit_code == 0;
  if (succeeded || end.reason == EndReason::kCancelled) {
    return succeeded ? JobState::kSucceeded : JobState::kCancelled;
  }
  const bool timed_out = end.reason == EndReason::kTimeLimit || end.reason == EndReason::kIdle;
  return timed_out ? JobState::kTimedOut : JobState::kFailed;
}

// A node fault that may be none: the attempt may have ended well, or gone on elsewhere, before the
// center was restored from a backup that does not know it.
bool IsDoubtful(const Cluster& cluster, const Job& job) {
  return job.attempt.end.reason == EndReason::kNodeFault && !job.cancel_requested &&
         std::any_of(job.allocations.begin(), job.allocations.end(), [&](AllocationId id) {
           return cluster.IsDoubtful(cluster.GetAllocation(id));
         });
}

void HoldDoubtful(const Step& step, JobId id) {
  const std::string why =
      absl::StrCat("the center was restored from a backup that says the job runs, and ",
                   step.cluster.GetJob(id).attempt.end.message,
                   ": it may have ended since; release it if it has not");
  step.cluster.SetSuspects(id, {});  // it says nothing about the node
  step.cluster.RequeueJob(id, absl::InfinitePast(), step.now);
  step.cluster.ReplaceEnd(id, {.reason = EndReason::kAdmin, .message = why});
  step.cluster.SetHeld(id, true);
}

// Ends the attempt once nothing of it holds a device.
void SettleJob(const Step& step, JobId id) {
  const Job& job = step.cluster.GetJob(id);
  if (!AllMembers(step.cluster, job, AllocationState::kReleased)) {
    return;
  }
  step.cluster.SetEnd(id, {.reason = EndReason::kExit});
  if (job.state != JobState::kStopping) {
    step.cluster.MoveJob(id, JobState::kStopping);
    step.cluster.MoveAttempt(id, AttemptState::kStopping);
  }
  if (IsDoubtful(step.cluster, job)) {
    HoldDoubtful(step, id);
    return;
  }
  const bool again = WantsRequeue(job);
  const bool is_cancelled = job.cancel_requested && !Planted(PlantedBug::kCancelForgotten);
  if (!again || is_cancelled) {
    step.cluster.FinishJob(id, again ? JobState::kCancelled : FinalState(job.attempt.end),
                           step.now);
    return;
  }
  ForgetSuspects(step, job);
  const absl::Duration delay = std::min(
      step.policy.requeue_delay * (1 << std::min(job.requeues, 16)), step.policy.requeue_delay_max);
  step.cluster.RequeueJob(id, step.now + delay, step.now);
}

void ReleaseMember(const Step& step, AllocationId id, ReleaseEvidence evidence) {
  const NodeId node = step.cluster.GetAllocation(id).node;
  step.cluster.ReleaseAllocation(id, evidence, step.now);
  if (step.cluster.GetNode(node).state == NodeState::kDraining &&
      step.cluster.AllocationsOn(node).empty()) {
    step.cluster.SetNodeState(node, NodeState::kDrained, step.cluster.GetNode(node).state_detail);
  }
}

void ReleaseShrunk(const Step& step, const Allocation& allocation, ReleaseEvidence evidence) {
  const JobId id = allocation.job;
  ReleaseMember(step, allocation.id, evidence);
  const Job& job = step.cluster.GetJob(id);
  // What is left of a borrowed gang may fit the entitlement.
  step.cluster.UpgradeLabels(job.spec.tenant, job.attempt.device_class);
  SettleJob(step, id);
}

// Every member is prepared.
void StartGang(const Step& step, const Job& job) {
  step.cluster.MoveAttempt(job.id, AttemptState::kPrepared);
  step.cluster.MoveAttempt(job.id, AttemptState::kStarting);
  step.cluster.MoveJob(job.id, JobState::kStarting);
  for (AllocationId member : job.allocations) {
    SendStart(step, member);
  }
}

// A member runs although the gang waits for others: before the center was restored from a backup
// that does not know it, all were prepared and START was durable.
void StartForgottenGang(const Step& step, const Job& job) {
  for (AllocationId member : job.allocations) {
    if (step.cluster.GetAllocation(member).state == AllocationState::kSent) {
      step.cluster.MoveAllocation(member, AllocationState::kPrepared);
    }
  }
  StartGang(step, job);
}

void MemberPrepared(const Step& step, const Allocation& allocation, const TaskReport& report) {
  if (allocation.state != AllocationState::kSent) {
    return;
  }
  const Job& job = step.cluster.GetJob(allocation.job);
  step.cluster.MoveAllocation(allocation.id, AllocationState::kPrepared);
  if (allocation.rank == 0) {
    step.cluster.SetRendezvous(job.id, report.rendezvous_address, report.rendezvous_port);
  }
  if (job.state != JobState::kDispatching ||
      (!AllMembers(step.cluster, job, AllocationState::kPrepared) &&
       !Planted(PlantedBug::kStartBeforePrepared))) {
    return;
  }
  StartGang(step, job);
}

void MemberStarted(const Step& step, const Allocation& allocation) {
  if (allocation.state != AllocationState::kSent &&
      allocation.state != AllocationState::kPrepared) {
    return;
  }
  const Job& job = step.cluster.GetJob(allocation.job);
  if (job.state == JobState::kDispatching) {
    StartForgottenGang(step, job);
  }
  step.cluster.MoveAllocation(allocation.id, AllocationState::kRunning);
  if (job.state == JobState::kStarting &&
      AllMembers(step.cluster, job, AllocationState::kRunning)) {
    step.cluster.MoveJob(job.id, JobState::kRunning);
    step.cluster.MoveAttempt(job.id, AttemptState::kRunning);
    step.cluster.SetStarted(job.id, step.now, step.policy.kill_timeout);
  }
}

void MemberEnded(const Step& step, const Allocation& allocation, const TaskReport& report) {
  const JobId job = allocation.job;
  if (IsShrinking(step, allocation)) {
    ReleaseShrunk(step, allocation, ReleaseEvidence::kReported);
    return;
  }
  std::optional<JobEnd> end = EndOf(step.cluster, allocation, report);
  if (end.has_value()) {
    if (end->reason == EndReason::kNodeFault) {
      SuspectNode(step, job, allocation.node);
    }
    end->failed_rank = LogRank(step.cluster.GetJob(job), allocation, report.failed_rank);
  }
  if (report.kind == ReportKind::kExited) {
    MemberStarted(step, allocation);
  }
  ReleaseMember(step, allocation.id, ReleaseEvidence::kReported);
  if (end.has_value()) {
    StopJob(step, job, *end, step.cluster.GetJob(job).spec.grace);
    return;
  }
  SettleJob(step, job);
}

}  // namespace

JobId DispatchJob(const Step& step, const Start& planned) {
  Start start = planned;
  if (step.cluster.GetJob(planned.job).is_array()) {
    start.job = step.cluster.AddTask(planned.job);
  }
  step.cluster.StartJob(start, step.now);
  const Job& job = step.cluster.GetJob(start.job);
  if (job.allocations.size() == 1) {
    // The assignment of a single member is its START, too.
    step.cluster.MoveAttempt(job.id, AttemptState::kStarting);
    step.cluster.MoveJob(job.id, JobState::kStarting);
  } else {
    step.cluster.MoveAttempt(job.id, AttemptState::kPreparing);
  }
  for (AllocationId id : job.allocations) {
    SendAssignment(step, id);
  }
  return job.id;
}

void StopJob(const Step& step, JobId id, const JobEnd& end, absl::Duration grace,
             StopReason reason) {
  const Job& job = step.cluster.GetJob(id);
  step.cluster.SetEnd(id, end);
  step.cluster.SetStop(id, grace, reason);
  if (job.state != JobState::kStopping) {
    step.cluster.MoveJob(id, JobState::kStopping);
    step.cluster.MoveAttempt(id, AttemptState::kStopping);
  }
  for (AllocationId member : job.allocations) {
    const AllocationState state = step.cluster.GetAllocation(member).state;
    if (state == AllocationState::kReleased) {
      continue;
    }
    if (state != AllocationState::kReleasing) {
      step.cluster.MoveAllocation(member, AllocationState::kReleasing);
    }
    SendKill(step, member);
    if (Planted(PlantedBug::kFreedAtKill)) {
      ReleaseMember(step, member, ReleaseEvidence::kReported);
    }
  }
  SettleJob(step, id);
}

void ApplyReport(const Step& step, const TaskReport& report) {
  const Allocation* allocation = step.cluster.FindAllocation(report.allocation);
  if (allocation == nullptr || allocation->state == AllocationState::kReleased) {
    return;
  }
  switch (report.kind) {
    case ReportKind::kPrepared:
      MemberPrepared(step, *allocation, report);
      return;
    case ReportKind::kStarted:
      MemberStarted(step, *allocation);
      return;
    case ReportKind::kRefused:
    case ReportKind::kExited:
    case ReportKind::kKilled:
    case ReportKind::kNeverRan:
    case ReportKind::kLostReboot:
    case ReportKind::kLostShim:
      MemberEnded(step, *allocation, report);
      return;
    case ReportKind::kQuarantine:
      return;  // about the node
  }
}

void NoteRunning(const Step& step, AllocationId id) {
  MemberStarted(step, step.cluster.GetAllocation(id));
}

void LoseMember(const Step& step, AllocationId id, ReleaseEvidence evidence,
                absl::string_view message) {
  const Allocation& allocation = step.cluster.GetAllocation(id);
  const JobId job = allocation.job;
  if (IsShrinking(step, allocation)) {
    ReleaseShrunk(step, allocation, evidence);
    return;
  }
  SuspectNode(step, job, allocation.node);
  const JobEnd end{.reason = EndReason::kNodeFault,
                   .failed_rank = LogRank(step.cluster.GetJob(job), allocation, -1),
                   .message = std::string(message)};
  ReleaseMember(step, id, evidence);
  StopJob(step, job, end, step.cluster.GetJob(job).spec.grace);
}

}  // namespace berth
