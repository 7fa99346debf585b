#include "sim/faults/observer.h"

#include <algorithm>

#include "absl/strings/str_format.h"

namespace berth::sim {
namespace {

constexpr int64_t kLateBy = 300 * kSecond;
// Much less than the window of a mass loss; turns are late by more than that at times.
constexpr int64_t kTogether = 2 * kSecond;
constexpr int64_t kHoldEndsLate = 300 * kSecond;

bool EndedByItself(const ExitRecord& record) {
  return record.stop_reason == v1::STOP_REASON_UNSPECIFIED && !record.exec_failed;
}

}  // namespace

void Observer::Broken(const char* invariant, std::string detail) {
  if (!broken()) {
    invariant_ = invariant;
    detail_ = std::move(detail);
  }
}

// ---- The scheduler ----

void Observer::OnBoot(uint64_t epoch, SchedulerDisk& disk) {
  if (epoch <= epoch_) {
    Broken("I8", absl::StrFormat("epoch %d follows epoch %d", epoch, epoch_));
  }
  epoch_ = epoch;
  for (const auto& [key, job] : now_.submitted) {
    if (!disk.Knows(job)) {
      Broken("I1", absl::StrFormat("job %d was acknowledged and is lost", job.value()));
    }
  }
}

void Observer::OnCommit(const DiskTurn& turn) {
  ++commits_;
  for (const Node& node : turn.changes.nodes) {
    int64_t& last = now_.assign_seq[node.id];
    if (node.assign_seq < last) {
      Broken("I6", absl::StrFormat("assign_seq of node %d fell from %d to %d", node.id.value(),
                                   last, node.assign_seq));
    }
    last = node.assign_seq;
  }
  CheckNodes(turn.changes.nodes);
  NoteTasks(turn.changes.jobs);
  for (const Allocation& allocation : turn.changes.allocations) {
    CheckRow(allocation);
  }
  for (const EndedAttempt& ended : turn.changes.attempts) {
    CheckEnd(ended.job, ended.attempt);
  }
  for (const Job& job : turn.changes.jobs) {
    CheckJob(job);
  }
}

// Many nodes are not lost at once for their silence, but by an operator's word.
void Observer::CheckNodes(const std::vector<Node>& nodes) {
  const size_t before = lost_us_.size();
  for (const Node& node : nodes) {
    NodeState& known = node_states_[node.id];
    const bool is_silence = node.state_detail.find("was silent for") != std::string::npos;
    if (node.state == NodeState::kLost && known != NodeState::kLost && is_silence) {
      lost_us_.push_back(timeline_.now_us());
    }
    known = node.state;
  }
  const size_t count = lost_us_.size();
  if (count > before && count >= 2 && lost_us_[count - 1] - lost_us_[count - 2] < kTogether &&
      timeline_.now_us() - hold_ended_us_ > kHoldEndsLate) {
    Broken("hold", "two of few nodes were lost together");
  }
}

void Observer::CheckRow(const Allocation& allocation) {
  const auto row = now_.rows.find(allocation.id);
  if (row == now_.rows.end()) {
    CheckNewRow(allocation);
  } else if (row->second.is_released && (allocation.state != AllocationState::kReleased ||
                                         allocation.evidence != row->second.evidence)) {
    Broken("I5", absl::StrFormat("allocation %d was released and is not any more",
                                 allocation.id.value()));
  }
  Row& known = now_.rows[allocation.id];
  if (allocation.state == AllocationState::kReleased && !known.is_released) {
    known.is_released = true;
    known.evidence = allocation.evidence;
    CheckRelease(allocation);
  }
}

void Observer::CheckNewRow(const Allocation& allocation) {
  if (allocation.id <= last_allocation_) {
    Broken("I6", absl::StrFormat("allocation %d comes after %d", allocation.id.value(),
                                 last_allocation_.value()));
  }
  last_allocation_ = allocation.id;
  now_.rows[allocation.id].commit = commits_;
  made_by_[allocation.id.value()] = commits_;
  std::vector<AllocationId>& members = now_.members[{allocation.job, allocation.attempt}];
  if (!members.empty() && now_.rows[members.back()].commit != commits_) {
    members.clear();  // of another life of the database
  }
  members.push_back(allocation.id);
  CheckWanted(allocation);
}

void Observer::NoteTasks(const std::vector<Job>& jobs) {
  for (const Job& job : jobs) {
    if (job.array) {
      const bool is_new = now_.tasks.emplace(job.id, std::pair(job.array, job.array_index)).second;
      const ArrayRecord& array = now_.arrays[job.array];
      if (is_new && array.fails_max > 0 && array.failed >= array.fails_max) {
        Broken("failures", absl::StrFormat("job %d begins though %d tasks of its array have failed",
                                           job.id.value(), array.failed));
      }
    } else if (job.is_array()) {
      now_.arrays[job.id].fails_max = job.spec.array.fails_max;
    }
  }
}

void Observer::CheckWanted(const Allocation& allocation) {
  if (now_.suspended.contains(allocation.tenant)) {
    Broken("suspension", absl::StrFormat("tenant %d is suspended and gets allocation %d",
                                         allocation.tenant.value(), allocation.id.value()));
  }
  const auto task = now_.tasks.find(allocation.job);
  const bool is_task = task != now_.tasks.end();
  if (now_.cancelled.contains(allocation.job) ||
      (is_task && (now_.cancelled.contains(task->second.first) ||
                   now_.cancelled_tasks.contains(task->second)))) {
    Broken("I11", absl::StrFormat("job %d was cancelled and gets allocation %d",
                                  allocation.job.value(), allocation.id.value()));
  }
}

// Rules (a) to (c): the devices are given away only when nothing of the task can be alive.
void Observer::CheckRelease(const Allocation& allocation) {
  const auto execution = executions_.find(allocation.id.value());
  if (execution == executions_.end() || !execution->second.is_alive) {
    return;
  }
  const Execution& alive = execution->second;
  if (allocation.evidence == ReleaseEvidence::kNodeLost &&
      (alive.stood_still || alive.is_undying)) {
    return;  // no lease could end it: the processes that stood still do not know how late it is
  }
  Broken("release",
         absl::StrFormat("allocation %d of job %d is released (%s) and still runs",
                         allocation.id.value(), allocation.job.value(), Name(allocation.evidence)));
}

void Observer::CheckJob(const Job& job) {
  if (now_.terminal.contains(job.id)) {
    Broken("I7", absl::StrFormat("job %d had ended and changes", job.id.value()));
  }
  if (!IsTerminal(job.state)) {
    return;
  }
  now_.terminal.insert(job.id);
  if (job.array && job.state != JobState::kSucceeded && job.state != JobState::kCancelled) {
    ++now_.arrays[job.array].failed;
  }
  if (!job.is_array() && job.attempt.state == AttemptState::kEnded) {
    CheckEnd(job.id, job.attempt);
  }
}

// I7: the recorded exit is the one that the attempt's processes had.
void Observer::CheckEnd(JobId job, const Attempt& attempt) {
  const auto members = now_.members.find({job, attempt.number});
  if (members == now_.members.end()) {
    return;
  }
  bool found = false;
  bool all_succeeded = true;
  for (const AllocationId member : members->second) {
    const auto exit = exits_.find(member.value());
    const bool by_itself = exit != exits_.end() && EndedByItself(exit->second);
    found = found || (by_itself && exit->second.exit_code == attempt.end.exit_code &&
                      exit->second.signal == attempt.end.signal);
    // An elastic gang gives back members other than its first, and goes on.
    const bool may_be_shrunk = member != members->second.front();
    const bool succeeded = by_itself && exit->second.exit_code == 0 && exit->second.signal == 0;
    all_succeeded = all_succeeded && (succeeded || (may_be_shrunk && !by_itself));
    const bool is_reported = now_.rows.at(member).evidence == ReleaseEvidence::kReported ||
                             now_.rows.at(member).evidence == ReleaseEvidence::kRebooted;
    const bool is_doubtful =
        (restores_ > 0 && member <= restored_) || exits_lost_.contains(member.value());
    if (by_itself && is_reported && !is_doubtful && members->second.size() == 1 &&
        attempt.end.reason == EndReason::kNodeFault) {
      Broken("I7", absl::StrFormat("job %d ended by itself with %d, recorded is a node fault (%s)",
                                   job.value(), exit->second.exit_code, attempt.end.message));
    }
  }
  const bool is_exit =
      attempt.end.reason == EndReason::kExit || attempt.end.reason == EndReason::kSignal;
  const bool is_success = attempt.end.reason == EndReason::kExit && attempt.end.exit_code == 0;
  if (is_exit && (is_success ? !all_succeeded : !found)) {
    Broken("I7",
           absl::StrFormat("job %d is recorded with exit code %d, signal %d, which it had not",
                           job.value(), attempt.end.exit_code, attempt.end.signal));
  }
}

void Observer::OnBackup() {
  in_backup_ = now_;
}

// What a restored center can know is what the backup knew.
void Observer::OnRestore() {
  now_ = in_backup_;
  restored_ = now_.rows.empty() ? AllocationId() : now_.rows.rbegin()->first;
  now_.assign_seq.clear();
  ++restores_;
}

// ---- The users ----

void Observer::OnSubmitted(const std::string& key, JobId job) {
  const auto [known, is_new] = now_.submitted.emplace(key, job);
  if (!is_new && known->second != job) {
    Broken("I1",
           absl::StrFormat("key %s is job %d and job %d", key, known->second.value(), job.value()));
  }
}

void Observer::OnCancelled(JobId job) {
  now_.cancelled.insert(job);
}

void Observer::OnTasksCancelled(JobId array, const std::vector<IndexRange>& tasks) {
  for (int index : IndexesOf(tasks)) {
    now_.cancelled_tasks.emplace(array, index);
  }
}

// ---- The nodes ----

void Observer::OnObeyed(int node, uint64_t epoch) {
  uint64_t& highest = obeyed_[node];
  if (epoch < highest) {
    Broken("I8", absl::StrFormat("node %d obeys epoch %d after %d", node, epoch, highest));
  }
  highest = std::max(highest, epoch);
}

void Observer::OnPrepared(uint64_t allocation) {
  prepared_.insert(allocation);
}

void Observer::OnStarted(int node, const v1::Assignment& assignment) {
  const uint64_t id = assignment.allocation_id();
  timeline_.Note("job %d attempt %d runs as allocation %d", assignment.job_id(),
                 static_cast<uint64_t>(assignment.attempt()), id);
  if (executions_.contains(id)) {
    Broken("I6", absl::StrFormat("allocation %d is executed twice", id));
  }
  CheckMayStart(assignment);
  CheckOverlap(node, assignment);
  Execution& execution = executions_[id];
  execution.node = node;
  execution.job = assignment.job_id();
  execution.attempt = assignment.attempt();
  for (const v1::DeviceAssignment& device : assignment.devices()) {
    execution.devices.push_back(device.uuid());
  }
  execution.is_alive = true;
  execution.stood_still = HasStoodStill(node);
  alive_.insert(id);
}

void Observer::CheckMayStart(const v1::Assignment& assignment) {
  const AllocationId id(assignment.allocation_id());
  const auto row = now_.rows.find(id);
  if (row == now_.rows.end()) {
    // What a restored center has forgotten may still be on its way inside a node.
    if (id > last_allocation_ || restores_ == 0) {
      Broken("durable first",
             absl::StrFormat("allocation %d runs and was never durable", id.value()));
    }
    return;
  }
  if (row->second.is_released && row->second.evidence != ReleaseEvidence::kNodeLost) {
    Broken("release", absl::StrFormat("allocation %d starts after its release (%s)", id.value(),
                                      Name(row->second.evidence)));
  }
  if (assignment.node_count() <= 1) {
    return;
  }
  const auto members = now_.members.find({JobId(assignment.job_id()), assignment.attempt()});
  if (members == now_.members.end()) {
    return;
  }
  for (const AllocationId member : members->second) {
    if (now_.rows[member].commit == row->second.commit && !prepared_.contains(member.value())) {
      Broken("I4", absl::StrFormat("job %d starts and its allocation %d is not prepared",
                                   assignment.job_id(), member.value()));
    }
  }
}

// What a machine begins soon after it stood still may be late by that, and cannot know it.
bool Observer::HasStoodStill(int node) const {
  const auto since = stood_still_us_.find(node);
  return since != stood_still_us_.end() && timeline_.now_us() - since->second < kLateBy;
}

bool Observer::AreOneGang(uint64_t allocation, uint64_t other) const {
  const auto a = made_by_.find(allocation);
  const auto b = made_by_.find(other);
  return a != made_by_.end() && b != made_by_.end() && a->second == b->second;
}

void Observer::CheckOverlap(int node, const v1::Assignment& assignment) {
  for (const uint64_t id : alive_) {
    const Execution& other = executions_.at(id);
    if (other.job == assignment.job_id() && !AreOneGang(id, assignment.allocation_id()) &&
        !other.stood_still && !other.is_undying && !HasStoodStill(node)) {
      Broken("I2c", absl::StrFormat("attempts %d and %d of job %d run at the same time",
                                    other.attempt, assignment.attempt(), other.job));
    }
    if (other.node != node) {
      continue;
    }
    for (const v1::DeviceAssignment& device : assignment.devices()) {
      if (std::count(other.devices.begin(), other.devices.end(), device.uuid()) > 0) {
        Broken("I2b", absl::StrFormat("jobs %d and %d are on the device %s at the same time",
                                      other.job, assignment.job_id(), device.uuid()));
      }
    }
  }
}

void Observer::OnGone(uint64_t allocation) {
  if (alive_.erase(allocation) > 0) {
    executions_.at(allocation).is_alive = false;
    timeline_.Note("allocation %d runs no more", allocation);
  }
}

void Observer::OnExitRecord(uint64_t allocation, const ExitRecord& record) {
  exits_[allocation] = record;
}

void Observer::OnUndying(uint64_t allocation) {
  if (alive_.contains(allocation)) {
    executions_.at(allocation).is_undying = true;
  }
}

void Observer::OnStoodStill(int node) {
  stood_still_us_[node] = timeline_.now_us();
  for (const uint64_t id : alive_) {
    Execution& execution = executions_.at(id);
    execution.stood_still = execution.stood_still || execution.node == node;
  }
}

}  // namespace berth::sim
