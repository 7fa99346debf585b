#include "agent/core/agent_core.h"

#include <algorithm>
#include <utility>

#include "agent/core/task_lifecycle.h"
#include "common/planted_bug.h"

namespace berth {
namespace {

constexpr int kProtocol = 1;
// Unacknowledged heartbeats that are remembered; older ones no longer extend the lease.
constexpr size_t kHeartbeatsRemembered = 64;

}  // namespace

AgentCore::AgentCore(AgentState state, absl::string_view node, absl::string_view boot_id)
    : state_(std::move(state)), node_(node) {
  const bool rebooted = !state_.boot_id.empty() && state_.boot_id != boot_id;
  // Report numbers grow over the lives of the agent without a record of each. Incarnations that
  // count in 1/1024 s leave room for it until 2088.
  last_report_seq_ = static_cast<int64_t>(state_.incarnation << 22);
  for (const auto& [id, journaled] : state_.tasks) {
    Task& task = tasks_[id];
    task.assignment = journaled.assignment;
    task.before_reboot = rebooted;
  }
  state_.boot_id = std::string(boot_id);
}

std::vector<JournaledTask> AgentCore::TasksToAdopt() const {
  std::vector<JournaledTask> tasks;
  for (const auto& [id, journaled] : state_.tasks) {
    tasks.push_back(journaled);
  }
  return tasks;
}

AgentOutput AgentCore::Adopt(uint64_t allocation_id, v1::TaskState state,
                             absl::string_view address) {
  AgentOutput output;
  Task& task = tasks_.at(allocation_id);
  if (state == v1::TASK_STATE_PREPARED) {
    const int port = state_.tasks.at(allocation_id).rendezvous_port;
    Handle(task, TaskPrepared{allocation_id, std::string(address), port}, output);
    return output;
  }
  Advance(task.state, v1::TASK_STATE_SPAWNED);
  Handle(task, TaskStarted{allocation_id}, output);
  if (state == v1::TASK_STATE_STOPPING) {
    Advance(task.state, v1::TASK_STATE_STOPPING);
  }
  return output;
}

AgentOutput AgentCore::AdoptStray(uint64_t allocation_id) {
  AgentOutput output;
  v1::Assignment unknown;
  unknown.set_allocation_id(allocation_id);
  Record(AssignmentAccepted{unknown}, true, output);
  Task& task = tasks_[allocation_id];
  task.assignment = std::move(unknown);
  Advance(task.state, v1::TASK_STATE_STOPPING);
  return output;
}

v1::AgentMessage AgentCore::MakeHello(const v1::NodeFacts& facts, absl::Duration now) {
  heartbeat_sent_.clear();
  heartbeat_sent_[0] = now;
  v1::AgentMessage message;
  v1::Hello& hello = *message.mutable_hello();
  hello.set_protocol_min(kProtocol);
  hello.set_protocol_max(kProtocol);
  hello.set_node(node_);
  hello.set_boot_id(state_.boot_id);
  hello.set_incarnation(state_.incarnation);
  hello.set_assign_seq_max(state_.assign_seq_max);
  hello.set_journal_since(state_.whole_since);
  hello.set_sched_epoch_max(state_.sched_epoch_max);
  *hello.mutable_facts() = facts;
  FillTasks(*hello.mutable_tasks());
  for (const auto& [seq, report] : unacked_) {
    if (!Planted(PlantedBug::kReportOnce)) {
      *hello.add_reports() = report;
    }
  }
  told_report_seq_ = last_report_seq_;
  return message;
}

v1::Heartbeat AgentCore::MakeState() const {
  v1::Heartbeat state;
  state.set_assign_seq_max(state_.assign_seq_max);
  FillTasks(*state.mutable_tasks());
  return state;
}

v1::AgentMessage AgentCore::MakeHeartbeat(v1::Heartbeat state, absl::Duration now) {
  heartbeat_sent_[++last_heartbeat_] = now;
  if (heartbeat_sent_.size() > kHeartbeatsRemembered) {
    heartbeat_sent_.erase(heartbeat_sent_.begin());
  }
  state.set_heartbeat_seq(last_heartbeat_);
  v1::AgentMessage message;
  *message.mutable_heartbeat() = std::move(state);
  return message;
}

std::vector<v1::AgentMessage> AgentCore::TellAgain() const {
  std::vector<v1::AgentMessage> messages;
  for (const auto& [seq, report] : unacked_) {
    *messages.emplace_back().mutable_report() = report;
  }
  return messages;
}

void AgentCore::FillTasks(google::protobuf::RepeatedPtrField<v1::RunningTask>& tasks) const {
  for (const auto& [id, task] : tasks_) {
    v1::RunningTask& running = *tasks.Add();
    running.set_allocation_id(id);
    running.set_job_id(task.assignment.job_id());
    running.set_attempt(task.assignment.attempt());
    running.set_state(task.state);
    running.set_assign_seq(task.assignment.assign_seq());
  }
}

AgentOutput AgentCore::OnMessage(const v1::SchedulerMessage& message, absl::Duration now) {
  AgentOutput output;
  switch (message.kind_case()) {
    case v1::SchedulerMessage::kHelloAck:
      OnHelloAck(message.hello_ack(), now, output);
      break;
    case v1::SchedulerMessage::kHeartbeatAck:
      OnHeartbeatAck(message.heartbeat_ack(), now, output);
      break;
    case v1::SchedulerMessage::kReportAck:
      OnReportAck(message.report_ack(), output);
      break;
    case v1::SchedulerMessage::kAssign:
      for (const v1::Assignment& assignment : message.assign().assignments()) {
        OnAssignment(assignment, message.assign(), now, output);
      }
      break;
    case v1::SchedulerMessage::kStart:
      OnStart(message.start(), output);
      break;
    case v1::SchedulerMessage::kKill:
      OnKill(message.kill(), output);
      break;
    case v1::SchedulerMessage::kHelloRefused:
    case v1::SchedulerMessage::kOpenLog:
    case v1::SchedulerMessage::kOpenChannel:
    case v1::SchedulerMessage::KIND_NOT_SET:
      break;
  }
  return output;
}

void AgentCore::OnHelloAck(const v1::HelloAck& ack, absl::Duration now, AgentOutput& output) {
  // I8: never obey a scheduler older than one obeyed before. It is not acknowledged, so nothing of
  // its session is listened to.
  if (ack.sched_epoch() < state_.sched_epoch_max && !Planted(PlantedBug::kOldEpochObeyed)) {
    return;
  }
  session_ = ack;
  connected_ = true;
  if (ack.sched_epoch() > state_.sched_epoch_max) {
    Record(EpochSeen{ack.sched_epoch()}, true, output);
  }
  OnHeartbeatAck(v1::HeartbeatAck(), now, output);
  // What happened since the hello was neither in it nor sent.
  for (auto report = unacked_.upper_bound(told_report_seq_); report != unacked_.end(); ++report) {
    *output.messages.emplace_back().mutable_report() = report->second;
  }
}

void AgentCore::OnHeartbeatAck(const v1::HeartbeatAck& ack, absl::Duration now,
                               AgentOutput& output) {
  const auto sent = heartbeat_sent_.find(ack.heartbeat_seq());
  if (!connected_ || sent == heartbeat_sent_.end()) {
    return;
  }
  // The lease counts from the send, never from the answer's arrival.
  last_contact_ =
      std::max(last_contact_, Planted(PlantedBug::kLeaseFromAckArrival) ? now : sent->second);
  heartbeat_sent_.erase(heartbeat_sent_.begin(), std::next(sent));
  for (const auto& [id, task] : tasks_) {
    if (!HasEnded(task.state) && !task.assignment.hold_on_node_loss()) {
      output.actions.push_back(SetLease{id, LeaseDeadline(task.assignment)});
    }
  }
}

absl::Duration AgentCore::LeaseDeadline(const v1::Assignment& assignment) const {
  if (assignment.hold_on_node_loss()) {
    return absl::InfiniteDuration();
  }
  int64_t lease_ms = session_.lease_ms();
  if (assignment.lease_ms() > 0) {
    lease_ms = std::min<int64_t>(lease_ms, assignment.lease_ms());
  }
  return last_contact_ + absl::Milliseconds(lease_ms);
}

void AgentCore::OnReportAck(const v1::ReportAck& ack, AgentOutput& output) {
  for (const int64_t seq : ack.report_seqs()) {
    const auto report = unacked_.find(seq);
    if (report == unacked_.end()) {
      continue;
    }
    const auto task = tasks_.find(report->second.allocation_id());
    if (task != tasks_.end() && task->second.end_report == seq) {
      Advance(task->second.state, v1::TASK_STATE_ACKED);
      // Not forced to disk: if it is lost, the scheduler ignores the second report.
      Record(TaskForgotten{task->first}, false, output);
      const v1::Assignment& assignment = task->second.assignment;
      output.actions.push_back(DropTask{assignment.job_id(), assignment.attempt()});
      tasks_.erase(task);
    }
    if (const auto tombstone = tombstone_reports_.find(seq);
        tombstone != tombstone_reports_.end()) {
      // The assignment it guards against has a number at most the present maximum, or will be sent
      // no more.
      tombstone_reports_.erase(tombstone);
    }
    unacked_.erase(report);
  }
}

void AgentCore::OnAssignment(const v1::Assignment& assignment, const v1::Assign& message,
                             absl::Duration now, AgentOutput& output) {
  // I6: executed at most once. A number at or below the highest accepted is a repetition.
  const bool is_repeated =
      assignment.assign_seq() <= state_.assign_seq_max && !Planted(PlantedBug::kNoAssignSeq);
  if (!connected_ || is_repeated) {
    return;
  }
  const uint64_t id = assignment.allocation_id();
  if (state_.tombstones.contains(id)) {
    RefuseAssignment(assignment, v1::REFUSAL_FENCED, "a kill came first", output);
    return;
  }
  const absl::Duration deadline = LeaseDeadline(assignment);
  if (deadline <= now) {
    RefuseAssignment(assignment, v1::REFUSAL_LEASE, "the lease has run out", output);
    return;
  }
  Record(AssignmentAccepted{assignment}, true, output);
  tasks_[id].assignment = assignment;
  const auto token = message.job_tokens().find(id);
  output.actions.push_back(
      PrepareTask{assignment, deadline, token == message.job_tokens().end() ? "" : token->second});
}

void AgentCore::RefuseAssignment(const v1::Assignment& assignment, v1::Refusal why,
                                 absl::string_view message, AgentOutput& output) {
  // Its number is used up: the same assignment may be on its way once more, behind the answer that
  // renews the lease, and its devices are given away with this refusal.
  if (!Planted(PlantedBug::kRefusedTakenLater)) {
    Record(AssignSeqSeen{assignment.assign_seq()}, false, output);
  }
  v1::Report refusal = ReportOf(assignment, v1::REPORT_KIND_REFUSED);
  refusal.set_refusal(why);
  refusal.set_message(std::string(message));
  Send(std::move(refusal), output);
}

void AgentCore::OnStart(const v1::Start& start, AgentOutput& output) {
  const auto task = tasks_.find(start.allocation_id());
  if (task == tasks_.end() || task->second.state != v1::TASK_STATE_PREPARED ||
      task->second.assignment.attempt() != start.attempt()) {
    return;
  }
  Advance(task->second.state, v1::TASK_STATE_SPAWNED);
  output.actions.push_back(RunTask{start.allocation_id(), start});
}

void AgentCore::OnKill(const v1::Kill& kill, AgentOutput& output) {
  const uint64_t id = kill.allocation_id();
  const auto found = tasks_.find(id);
  if (found == tasks_.end()) {
    // Again with every answer: the first record may not have reached the disk.
    if (!Planted(PlantedBug::kNoTombstone)) {
      Record(TombstoneSet{id}, true, output);
    }
    v1::Assignment unknown;
    unknown.set_allocation_id(id);
    unknown.set_job_id(kill.job_id());
    unknown.set_attempt(kill.attempt());
    v1::Report report = ReportOf(unknown, v1::REPORT_KIND_NEVER_RAN);
    report.set_message("it was not known here and will never run");
    tombstone_reports_[Send(std::move(report), output)] = id;
    return;
  }
  Task& task = found->second;
  if (HasEnded(task.state)) {
    return;
  }
  if (task.state != v1::TASK_STATE_STOPPING) {
    Advance(task.state, v1::TASK_STATE_STOPPING);
  }
  output.actions.push_back(
      StopTask{id, kill.reason(), absl::Milliseconds(kill.grace_ms()), kill.message()});
}

void AgentCore::Advance(v1::TaskState& state, v1::TaskState to) {
  transitions_.Count(state, to);
  Move(state, to);
}

void AgentCore::Record(JournalRecord record, bool sync, AgentOutput& output) {
  ApplyRecord(record, state_);
  output.journal.push_back(std::move(record));
  output.must_sync = output.must_sync || sync;
}

v1::Report AgentCore::ReportOf(const v1::Assignment& assignment, v1::ReportKind kind) {
  v1::Report report;
  report.set_kind(kind);
  report.set_allocation_id(assignment.allocation_id());
  report.set_job_id(assignment.job_id());
  report.set_attempt(assignment.attempt());
  report.set_failed_rank(-1);
  report.set_at_us(at_us_);
  return report;
}

int64_t AgentCore::Send(v1::Report report, AgentOutput& output) {
  const int64_t seq = ++last_report_seq_;
  report.set_report_seq(seq);
  if (connected_) {
    *output.messages.emplace_back().mutable_report() = report;
  }
  unacked_[seq] = std::move(report);
  return seq;
}

}  // namespace berth
