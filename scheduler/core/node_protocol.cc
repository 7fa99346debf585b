#include "scheduler/core/node_protocol.h"

#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

#include "common/planted_bug.h"
#include "scheduler/core/job_progress.h"
#include "scheduler/core/node_loss.h"
#include "scheduler/core/task_notices.h"

namespace berth {
namespace {

// Above this an agent's claim is an error or a lie, and would soon overflow.
constexpr int64_t kAssignSeqBelievable = int64_t{1} << 48;

bool IsCurrent(const Step& step, NodeId id, SessionId session) {
  const Node* node = step.cluster.FindNode(id);
  return node != nullptr && (node->session == session || Planted(PlantedBug::kOldSessionHeard));
}

void Heard(const Step& step, NodeId id) {
  step.cluster.TouchNode(id, [&step](Node& node) {
    node.silent_since = step.now;
    node.last_seen_at = step.now;
  });
}

NodeFacts ToFacts(const Step& step, const ReportedFacts& reported) {
  NodeFacts facts = reported.facts;
  for (const ReportedDevice& device : reported.devices) {
    facts.devices.push_back(device.device);
    facts.devices.back().device_class = step.cluster.InternClass(device.device_class);
  }
  std::sort(facts.devices.begin(), facts.devices.end(),
            [](const Device& a, const Device& b) { return a.index < b.index; });
  return facts;
}

// Why what an agent tells now is not to be trusted; empty: it is. Nothing runs on a drained node,
// so that an operator may change it.
std::string DoubtOf(const Step& step, const Node& node, const NodeFacts& told) {
  const bool is_drained = node.drain_requested && step.cluster.AllocationsOn(node.id).empty();
  return is_drained ? "" : InventoryMismatch(node.facts, told);
}

void CheckTasksDevices(const Step& step, NodeId id) {
  if (const std::string missing = MissingUnderTask(step.cluster, id); !missing.empty()) {
    QuarantineNode(step, id, missing);
  }
}

// Where a node that can be talked to belongs.
void SettleNode(const Step& step, NodeId id) {
  const Node& node = step.cluster.GetNode(id);
  if (node.state == NodeState::kQuarantined) {
    return;
  }
  NodeState state = NodeState::kReady;
  if (node.drain_requested) {
    state = step.cluster.AllocationsOn(id).empty() ? NodeState::kDrained : NodeState::kDraining;
  }
  step.cluster.SetNodeState(id, state, node.drain_requested ? node.state_detail : "");
}

std::vector<AllocationId> LiveOn(const Step& step, NodeId id) {
  const auto& live = step.cluster.AllocationsOn(id);
  return {live.begin(), live.end()};
}

bool HasEnded(TaskState state) {
  return state == TaskState::kExited || state == TaskState::kAcked || state == TaskState::kFenced ||
         state == TaskState::kLostShim || state == TaskState::kLostReboot;
}

// Whether something sent before has had time to show in a heartbeat.
bool IsOverdue(const Step& step, const Allocation& allocation) {
  return allocation.sent_at + 2 * step.policy.heartbeat_interval < step.now;
}

struct Claim {
  const std::vector<RunningTask>& tasks;
  int64_t assign_seq_max;
  bool new_session;
  bool new_life = false;      // of the agent, heard of for the first time
  bool journal_lost = false;  // since anything that was sent in an earlier session
};

// The agent had accepted it, so that its absence is no sign of a message that got lost.
bool WasDelivered(const Step& step, const Allocation& allocation, const Claim& claim) {
  if (allocation.assign_seq <= claim.assign_seq_max || step.cluster.IsDoubtful(allocation) ||
      Planted(PlantedBug::kAbsentMeansLost)) {
    return true;
  }
  // A late hello of the same life may be older than what was heard meanwhile.
  const bool was_seen =
      claim.new_life && (allocation.confirmed || (allocation.state != AllocationState::kReserved &&
                                                  allocation.state != AllocationState::kSent));
  return (claim.journal_lost || was_seen) && !Planted(PlantedBug::kJournalLossIgnored);
}

void ReconcilePresent(const Step& step, const Allocation& allocation, const RunningTask& task,
                      bool again) {
  const Job& job = step.cluster.GetJob(allocation.job);
  step.cluster.MarkConfirmed(allocation.id);
  if (job.state == JobState::kWaitNode) {
    step.cluster.MoveJob(job.id, JobState::kRunning);
  }
  if (task.state == TaskState::kRunning) {
    NoteRunning(step, allocation.id);
  }
  if (!again || HasEnded(task.state)) {
    return;
  }
  if (allocation.state == AllocationState::kReleasing) {
    SendKill(step, allocation.id);
  } else if (allocation.state == AllocationState::kPrepared && job.state == JobState::kStarting &&
             task.state == TaskState::kPrepared) {
    SendStart(step, allocation.id);
  }
}

void ReconcileAbsent(const Step& step, const Allocation& allocation, const Claim& claim,
                     bool again) {
  if (allocation.state == AllocationState::kReleasing) {
    if (again) {
      SendKill(step, allocation.id);
    }
    return;
  }
  if (!WasDelivered(step, allocation, claim)) {
    if (again) {
      SendAssignment(step, allocation.id);
    }
    return;
  }
  LoseMember(step, allocation.id, ReleaseEvidence::kReported,
             absl::StrCat("node ", step.cluster.GetNode(allocation.node).name,
                          claim.journal_lost ? " lost its journal and does not know the task"
                                             : " no longer knows the task"));
}

// protocol.md, "Reconcile".
void Reconcile(const Step& step, NodeId id, const Claim& claim) {
  std::map<AllocationId, const RunningTask*> running;
  for (const RunningTask& task : claim.tasks) {
    running[task.allocation] = &task;
  }
  for (AllocationId live : LiveOn(step, id)) {
    const Allocation* allocation = step.cluster.FindAllocation(live);
    if (allocation == nullptr || allocation->state == AllocationState::kReleased) {
      continue;  // released with another member of its gang in this very pass
    }
    const bool again = claim.new_session || IsOverdue(step, *allocation);
    const auto task = running.find(live);
    if (task != running.end()) {
      ReconcilePresent(step, *allocation, *task->second, again);
    } else {
      ReconcileAbsent(step, *allocation, claim, again);
    }
  }
  for (const RunningTask& task : claim.tasks) {
    const Allocation* allocation = step.cluster.FindAllocation(task.allocation);
    const bool live = allocation != nullptr && allocation->node == id &&
                      allocation->state != AllocationState::kReleased;
    if (!live && !HasEnded(task.state)) {
      step.Send(id, KillTask{.allocation = task.allocation,
                             .job = task.job,
                             .attempt = task.attempt,
                             .reason = StopReason::kStale,
                             .grace = absl::ZeroDuration(),
                             .message = "this attempt is over"});
    }
  }
}

// What cannot be killed keeps its devices; the rest of its gang ends.
void ApplyQuarantine(const Step& step, NodeId node, const TaskReport& report,
                     const Allocation* stuck) {
  QuarantineNode(step, node, report.message);
  if (stuck == nullptr || stuck->state == AllocationState::kReleased ||
      stuck->state == AllocationState::kReleasing) {
    return;
  }
  StopJob(step, stuck->job,
          {.reason = EndReason::kNodeFault,
           .message = absl::StrCat("node ", step.cluster.GetNode(node).name, ": ", report.message)},
          absl::ZeroDuration());
}

// A node can speak for its own members only.
void ApplyOwnReport(const Step& step, NodeId node, const TaskReport& report) {
  const Allocation* allocation = step.cluster.FindAllocation(report.allocation);
  if (allocation != nullptr && allocation->node != node) {
    allocation = nullptr;
  }
  if (report.kind == ReportKind::kQuarantine) {
    if (step.cluster.GetNode(node).state == NodeState::kLost) {
      return;  // not acknowledged: its next hello tells again
    }
    ApplyQuarantine(step, node, report, allocation);
  } else if (allocation != nullptr) {
    TakeNotice(step, *allocation, report.notice);
    ApplyReport(step, report);
  }
  step.Send(node, AckReport{report.report_seq});
}

// Blames the nodes that are not prepared; returns their names.
std::string BlameUnprepared(const Step& step, const Job& job) {
  std::string names;
  for (AllocationId id : job.allocations) {
    const Allocation& allocation = step.cluster.GetAllocation(id);
    if (allocation.state == AllocationState::kReserved ||
        allocation.state == AllocationState::kSent) {
      absl::StrAppend(&names, names.empty() ? "" : ", ",
                      step.cluster.GetNode(allocation.node).name);
      SuspectNode(step, job.id, allocation.node);
    }
  }
  return names;
}

bool IsUnpreparedTooLong(const Step& step, const Job& job) {
  return job.state == JobState::kDispatching &&
         job.attempt.created_at + step.policy.prepare_timeout < step.now;
}

bool IsOverdue(const Step& step, const Job& job) {
  return job.state == JobState::kRunning && job.attempt.started_at + job.spec.time_limit +
                                                    step.policy.time_limit_slack - job.spec.grace <
                                                step.now;
}

void CheckJobTimes(const Step& step) {
  const std::vector<JobId> maybe_late = step.cluster.TakeActiveBefore(
      step.now - step.policy.prepare_timeout, step.now - step.policy.time_limit_slack);
  for (JobId id : maybe_late) {
    const Job* job = step.cluster.FindJob(id);
    if (job == nullptr) {
      continue;
    }
    if (IsUnpreparedTooLong(step, *job)) {
      StopJob(step, id,
              {.reason = EndReason::kPrepareTimeout,
               .message = absl::StrCat("not prepared in time: ", BlameUnprepared(step, *job))},
              absl::ZeroDuration());
    } else if (IsOverdue(step, *job)) {
      // The shims stop it by the limit they were given; one that was shortened they do not know.
      StopJob(step, id, {.reason = EndReason::kTimeLimit, .message = "at its time limit"},
              job->spec.grace);
    }
    if (step.cluster.FindJob(id) != nullptr) {
      step.cluster.NoteActive(id);
    }
  }
}

}  // namespace

bool IsOutdated(const Cluster& cluster, const AgentHello& hello) {
  return hello.incarnation < cluster.GetNode(hello.node).incarnation &&
         !Planted(PlantedBug::kOldLifeHeard);
}

void HandleHello(const Step& step, const AgentHello& hello) {
  if (IsOutdated(step.cluster, hello)) {
    return;
  }
  const NodeId id = hello.node;
  const Node& node = step.cluster.GetNode(id);
  const bool rebooted = !node.boot_id.empty() && node.boot_id != hello.boot_id;
  const bool new_life = hello.incarnation > node.incarnation;
  const bool journal_lost = hello.journal_since > node.incarnation;
  NodeFacts facts = ToFacts(step, hello.facts);
  const std::string doubt =
      node.state == NodeState::kQuarantined ? node.state_detail : DoubtOf(step, node, facts);
  step.cluster.UpdateNode(id, [&hello](Node& changed) {
    changed.session = hello.session;
    changed.boot_id = hello.boot_id;
    changed.incarnation = hello.incarnation;
    // Numbers that another life of the database gave out are not given out again.
    if (hello.assign_seq_max < kAssignSeqBelievable) {
      changed.assign_seq = std::max(changed.assign_seq, hello.assign_seq_max);
    }
  });
  Heard(step, id);
  step.cluster.SetNodeState(id, NodeState::kJoined, node.state_detail);
  step.cluster.PutFacts(id, std::move(facts));
  step.Send(id, AcceptHello{step.sched_epoch, step.policy.heartbeat_interval,
                            step.policy.lease_timeout, step.policy.kill_timeout});
  step.cluster.SetNodeState(id, NodeState::kReconciling, node.state_detail);
  if (!doubt.empty()) {
    QuarantineNode(step, id, doubt);
  }
  for (const TaskReport& report : hello.reports) {
    ApplyOwnReport(step, id, report);
  }
  if (rebooted && !Planted(PlantedBug::kNoReleaseOnReboot)) {
    ReleaseAll(step, id, ReleaseEvidence::kRebooted, absl::StrCat("node ", node.name, " rebooted"));
  }
  Reconcile(step, id, {hello.tasks, hello.assign_seq_max, true, new_life, journal_lost});
  CheckTasksDevices(step, id);
  SettleNode(step, id);
}

void HandleHeartbeat(const Step& step, const AgentHeartbeat& heartbeat) {
  if (!IsCurrent(step, heartbeat.node, heartbeat.session)) {
    return;
  }
  Heard(step, heartbeat.node);
  if (step.cluster.GetNode(heartbeat.node).state == NodeState::kSuspect) {
    SettleNode(step, heartbeat.node);
  }
  Reconcile(step, heartbeat.node, {heartbeat.tasks, heartbeat.assign_seq_max, false});
  step.Send(heartbeat.node, AckHeartbeat{heartbeat.heartbeat_seq});
}

void HandleReport(const Step& step, const AgentReport& report) {
  if (!IsCurrent(step, report.node, report.session)) {
    return;
  }
  Heard(step, report.node);
  ApplyOwnReport(step, report.node, report.report);
}

void HandleFacts(const Step& step, const AgentFacts& facts) {
  if (IsCurrent(step, facts.node, facts.session)) {
    Heard(step, facts.node);
    NodeFacts changed = ToFacts(step, facts.facts);
    const std::string doubt = DoubtOf(step, step.cluster.GetNode(facts.node), changed);
    step.cluster.PutFacts(facts.node, std::move(changed));
    if (!doubt.empty()) {
      QuarantineNode(step, facts.node, doubt);
    }
    CheckTasksDevices(step, facts.node);
  }
}

void HandleGone(const Step& step, const AgentGone& gone) {
  if (!IsCurrent(step, gone.node, gone.session)) {
    return;
  }
  step.cluster.TouchNode(gone.node, [](Node& node) { node.session = SessionId(); });
  if (IsConnected(step.cluster.GetNode(gone.node).state)) {
    step.cluster.SetNodeState(gone.node, NodeState::kSuspect, "the stream of its agent ended");
  }
}

void HandleTick(const Step& step) {
  step.cluster.WakeJobs(step.now);
  CheckSilence(step);
  CheckJobTimes(step);
  ReviewSuspects(step);
}

void BeginGrace(const Step& step) {
  std::vector<NodeId> ids;
  for (const auto& [id, node] : step.cluster.nodes()) {
    ids.push_back(id);
  }
  for (NodeId id : ids) {
    if (!Planted(PlantedBug::kNoRestartGrace)) {
      step.cluster.TouchNode(id, [&step](Node& node) { node.silent_since = step.now; });
    }
    if (IsConnected(step.cluster.GetNode(id).state)) {
      step.cluster.SetNodeState(id, NodeState::kSuspect,
                                "not heard of since the scheduler started");
    }
  }
}

}  // namespace berth
