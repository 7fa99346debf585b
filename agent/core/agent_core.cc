#include "agent/core/agent_core.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"

#include "agent/core/lifecycle.h"
#include "common/credentials.h"
#include "proto/job.pb.h"

namespace berth::agent {
namespace {

// A stream whose last heartbeats went unanswered for so long is half open.
constexpr absl::Duration kAnswerTimeout = absl::Seconds(20);

v1::Report EmptyReport(v1::ReportKind kind, absl::string_view message) {
  v1::Report report;
  report.set_kind(kind);
  report.set_failed_rank(-1);
  report.set_message(std::string(message));
  return report;
}

v1::Report RefusedReport(v1::Refusal refusal, absl::string_view message) {
  v1::Report report = EmptyReport(v1::REPORT_KIND_REFUSED, message);
  report.set_refusal(refusal);
  return report;
}

}  // namespace

AgentCore::AgentCore(NodeIdentity identity, NodeRecords records)
    : identity_(std::move(identity)), records_(std::move(records)) {}

Effects AgentCore::Begin() {
  Effects effects;
  Note(NextIncarnation(records_, identity_.boot_id), true, effects);
  next_report_seq_ = records_.report_seq_limit;
  JournalRecord block;
  block.mutable_counters()->set_report_seq_limit(next_report_seq_ + kReportSeqBlock);
  Note(std::move(block), true, effects);
  for (const auto& [id, task] : records_.tasks) {
    if (!HasEnded(task.state)) {
      effects.actions.push_back({
          id, AdoptAction{.assignment = task.assignment, .rebooted = task.rebooted}
      });
    }
  }
  return effects;
}

v1::AgentMessage AgentCore::MakeHello(const Moment& now) {
  SessionEnded();
  v1::AgentMessage message;
  v1::Hello& hello = *message.mutable_hello();
  hello.set_protocol_min(kProtocolMin);
  hello.set_protocol_max(kProtocolMax);
  hello.set_node(identity_.name);
  hello.set_boot_id(identity_.boot_id);
  hello.set_incarnation(records_.incarnation);
  hello.set_assign_seq_max(records_.assign_seq_max);
  hello.set_sched_epoch_max(records_.sched_epoch_max);
  *hello.mutable_facts() = identity_.facts;
  for (v1::RunningTask& task : ListTasks()) {
    *hello.add_tasks() = std::move(task);
  }
  for (const auto& [seq, report] : records_.reports) {
    *hello.add_reports() = report;
  }
  hello_report_seq_ = next_report_seq_;
  hello_sent_ = now.since_boot;
  return message;
}

void AgentCore::SessionEnded() {
  connected_ = false;
  heartbeats_sent_.clear();
}

v1::AgentMessage AgentCore::MakeHeartbeat(const Moment& now) {
  v1::AgentMessage message;
  v1::Heartbeat& heartbeat = *message.mutable_heartbeat();
  heartbeat.set_heartbeat_seq(++heartbeat_seq_);
  heartbeat.set_assign_seq_max(records_.assign_seq_max);
  for (v1::RunningTask& task : ListTasks()) {
    *heartbeat.add_tasks() = std::move(task);
  }
  heartbeats_sent_[heartbeat_seq_] = now.since_boot;
  if (heartbeats_sent_.size() > kHeartbeatsUnackedMax) {
    heartbeats_sent_.erase(heartbeats_sent_.begin());
  }
  return message;
}

bool AgentCore::IsSessionDead(const Moment& now) const {
  const absl::Duration patience = std::max(kAnswerTimeout, 4 * heartbeat_interval_);
  if (!connected_) {
    return hello_sent_ + patience < now.since_boot;
  }
  return !heartbeats_sent_.empty() && heartbeats_sent_.begin()->second + patience < now.since_boot;
}

int AgentCore::CountLiveTasks() const {
  return static_cast<int>(
      std::count_if(records_.tasks.begin(), records_.tasks.end(),
                    [](const auto& entry) { return !HasEnded(entry.second.state); }));
}

Effects AgentCore::HandleMessage(const v1::SchedulerMessage& message, const Moment& now) {
  Effects effects;
  if (!connected_ && !message.has_hello_ack() && !message.has_hello_refused()) {
    return effects;  // of an earlier session
  }
  switch (message.kind_case()) {
    case v1::SchedulerMessage::kHelloAck:
      HandleHelloAck(message.hello_ack(), effects);
      break;
    case v1::SchedulerMessage::kHelloRefused:
      effects.end_session =
          absl::StrCat("the scheduler refuses this node: ", message.hello_refused().message());
      break;
    case v1::SchedulerMessage::kHeartbeatAck:
      HandleHeartbeatAck(message.heartbeat_ack(), effects);
      break;
    case v1::SchedulerMessage::kReportAck:
      HandleReportAck(message.report_ack(), effects);
      break;
    case v1::SchedulerMessage::kAssign:
      for (const v1::Assignment& assignment : message.assign().assignments()) {
        HandleAssignment(assignment, now, effects);
      }
      break;
    case v1::SchedulerMessage::kStart:
      HandleStart(message.start(), effects);
      break;
    case v1::SchedulerMessage::kKill:
      HandleKill(message.kill(), now, effects);
      break;
    case v1::SchedulerMessage::kOpenLog:  // touches no state
    case v1::SchedulerMessage::KIND_NOT_SET:
      break;
  }
  return effects;
}

void AgentCore::HandleHelloAck(const v1::HelloAck& ack, Effects& effects) {
  if (ack.sched_epoch() < records_.sched_epoch_max) {
    effects.end_session =
        absl::StrCat("the scheduler has epoch ", ack.sched_epoch(), ", this node has obeyed ",
                     records_.sched_epoch_max, ": it is an older one, or was restored wrongly");
    return;
  }
  if (!records_.cluster_id.empty() && ack.cluster_id() != records_.cluster_id) {
    effects.end_session = absl::StrCat(
        "the scheduler belongs to the center ", ack.cluster_id(), ", this node to ",
        records_.cluster_id, "; to move the node, stop its tasks and empty the agent's data_dir");
    return;
  }
  if (ack.sched_epoch() != records_.sched_epoch_max || ack.cluster_id() != records_.cluster_id) {
    JournalRecord record;
    record.mutable_counters()->set_sched_epoch_max(ack.sched_epoch());
    record.mutable_counters()->set_cluster_id(ack.cluster_id());
    Note(std::move(record), true, effects);
  }
  connected_ = true;
  heartbeat_interval_ = absl::Milliseconds(std::max(ack.heartbeat_interval_ms(), 10));
  lease_ = absl::Milliseconds(ack.lease_ms());
  kill_timeout_ = absl::Milliseconds(ack.kill_timeout_ms());
  HandleHeartbeatAck({}, effects);
  for (auto report = records_.reports.lower_bound(hello_report_seq_);
       report != records_.reports.end(); ++report) {
    SendReport(report->second, effects);
  }
}

// An acknowledged hello counts as one, with the sequence number 0.
void AgentCore::HandleHeartbeatAck(const v1::HeartbeatAck& ack, Effects& effects) {
  absl::Duration sent = hello_sent_;
  if (ack.heartbeat_seq() != 0) {
    const auto heartbeat = heartbeats_sent_.find(ack.heartbeat_seq());
    if (heartbeat == heartbeats_sent_.end()) {
      return;
    }
    sent = heartbeat->second;
    heartbeats_sent_.erase(heartbeats_sent_.begin(), std::next(heartbeat));
  }
  lease_from_ = std::max(lease_from_, sent);
  for (const auto& [id, task] : records_.tasks) {
    if (!HasEnded(task.state) && !task.assignment.hold_on_node_loss()) {
      effects.actions.push_back({id, LeaseAction{lease_from_ + LeaseOf(task.assignment)}});
    }
  }
}

void AgentCore::HandleReportAck(const v1::ReportAck& ack, Effects& effects) {
  JournalRecord record;
  for (const int64_t seq : ack.report_seqs()) {
    const auto found = records_.reports.find(seq);
    if (found == records_.reports.end()) {
      continue;
    }
    record.mutable_acknowledgement()->add_report_seqs(seq);
    const v1::Report& report = found->second;
    const auto task = records_.tasks.find(report.allocation_id());
    if (IsLast(report.kind()) && task != records_.tasks.end()) {
      MoveTask(task->second, v1::TASK_STATE_ACKED);
      effects.actions.push_back({
          report.allocation_id(),
          ForgetAction{.job_id = report.job_id(), .attempt = report.attempt()}
      });
    }
  }
  if (record.has_acknowledgement()) {
    Note(std::move(record), false, effects);
  }
}

void AgentCore::HandleAssignment(const v1::Assignment& assignment, const Moment& now,
                                 Effects& effects) {
  if (assignment.assign_seq() <= records_.assign_seq_max) {
    return;  // delivered before; what became of it is in the reports or in every heartbeat
  }
  std::string message;
  const v1::Refusal refusal = FindRefusal(assignment, now, message);
  if (refusal != v1::REFUSAL_UNSPECIFIED) {
    JournalRecord record;
    record.mutable_counters()->set_assign_seq_max(assignment.assign_seq());
    Note(std::move(record), true, effects);
    MakeReport(assignment, RefusedReport(refusal, message), now, effects);
    return;
  }
  JournalRecord record;
  *record.mutable_acceptance()->mutable_assignment() = assignment;
  Note(std::move(record), true, effects);
  effects.actions.push_back({
      assignment.allocation_id(),
      PrepareAction{.assignment = assignment, .lease = TermsOf(assignment)}
  });
}

v1::Refusal AgentCore::FindRefusal(const v1::Assignment& assignment, const Moment& now,
                                   std::string& message) const {
  if (records_.IsFenced(assignment.allocation_id())) {
    message = "a kill came before the assignment";
    return v1::REFUSAL_FENCED;
  }
  if (const LeaseTerms terms = TermsOf(assignment);
      terms.deadline.has_value() && *terms.deadline <= now.since_boot) {
    message = "the lease is over before the task could begin";
    return v1::REFUSAL_LEASE;
  }
  v1::JobSpec spec;
  if (Sha256(assignment.job_spec()) != assignment.job_spec_sha256() ||
      !spec.ParseFromString(assignment.job_spec())) {
    message = "the job's specification arrived damaged";
    return v1::REFUSAL_BAD_SPEC;
  }
  return v1::REFUSAL_UNSPECIFIED;
}

void AgentCore::HandleStart(const v1::Start& start, Effects& effects) {
  const auto task = records_.tasks.find(start.allocation_id());
  if (task == records_.tasks.end() || task->second.assignment.attempt() != start.attempt() ||
      task->second.state != v1::TASK_STATE_PREPARED) {
    return;
  }
  MoveTask(task->second, v1::TASK_STATE_SPAWNED);
  effects.actions.push_back({start.allocation_id(), StartAction{start}});
}

void AgentCore::HandleKill(const v1::Kill& kill, const Moment& now, Effects& effects) {
  const auto found = records_.tasks.find(kill.allocation_id());
  if (found == records_.tasks.end()) {
    v1::Assignment unknown;
    unknown.set_allocation_id(kill.allocation_id());
    unknown.set_job_id(kill.job_id());
    unknown.set_attempt(kill.attempt());
    JournalRecord record;
    record.mutable_tombstone()->set_allocation_id(kill.allocation_id());
    Note(std::move(record), true, effects);
    MakeReport(unknown, EmptyReport(v1::REPORT_KIND_NEVER_RAN, kill.message()), now, effects);
    return;
  }
  TaskRow& task = found->second;
  if (HasEnded(task.state)) {
    return;  // the report of its end is on its way
  }
  if (task.state != v1::TASK_STATE_STOPPING) {
    MoveTask(task, v1::TASK_STATE_STOPPING);
  }
  const v1::StopReason reason =
      kill.reason() == v1::STOP_REASON_UNSPECIFIED ? v1::STOP_REASON_ADMIN : kill.reason();
  effects.actions.push_back({
      kill.allocation_id(), StopAction{.reason = reason,
                                       .grace = absl::Milliseconds(kill.grace_ms()),
                                       .message = kill.message()}
  });
}

Effects AgentCore::HandleEvent(const TaskEvent& event, const Moment& now) {
  Effects effects;
  const auto task = records_.tasks.find(event.allocation_id);
  if (task != records_.tasks.end() && !HasEnded(task->second.state)) {
    std::visit([&](const auto& kind) { OnKind(task->second, kind, now, effects); }, event.kind);
  }
  return effects;
}

void AgentCore::OnKind(TaskRow& task, const TaskHeld& event, const Moment& now, Effects& effects) {
  if (task.state != v1::TASK_STATE_JOURNALED && task.state != v1::TASK_STATE_LOCKED) {
    return;
  }
  if (task.assignment.start_at_once()) {
    MoveTask(task, v1::TASK_STATE_LOCKED);
    return;
  }
  MoveTask(task, v1::TASK_STATE_PREPARED);
  v1::Report report = EmptyReport(v1::REPORT_KIND_PREPARED, "");
  if (event.rendezvous_port != 0) {
    report.set_rendezvous_address(identity_.facts.address());
    report.set_rendezvous_port(event.rendezvous_port);
  }
  MakeReport(task.assignment, std::move(report), now, effects);
}

void AgentCore::OnKind(TaskRow& task, const TaskStarted&, const Moment& now, Effects& effects) {
  if (task.state == v1::TASK_STATE_RUNNING || task.state == v1::TASK_STATE_STOPPING) {
    return;
  }
  MoveTask(task, v1::TASK_STATE_RUNNING);
  MakeReport(task.assignment, EmptyReport(v1::REPORT_KIND_STARTED, ""), now, effects);
}

void AgentCore::OnKind(TaskRow& task, const TaskRefused& event, const Moment& now,
                       Effects& effects) {
  MakeReport(task.assignment, RefusedReport(event.refusal, event.message), now, effects);
}

void AgentCore::OnKind(TaskRow& task, const TaskEnded& event, const Moment& now, Effects& effects) {
  if (event.launch_failed) {
    MakeReport(task.assignment, RefusedReport(v1::REFUSAL_LAUNCH, event.message), now, effects);
    return;
  }
  const bool killed = event.stop_reason != v1::STOP_REASON_UNSPECIFIED;
  v1::Report report =
      EmptyReport(killed ? v1::REPORT_KIND_KILLED : v1::REPORT_KIND_EXITED, event.message);
  report.set_exit_code(event.exit_code);
  report.set_signal(event.signal);
  report.set_stop_reason(event.stop_reason);
  report.set_exec_failed(event.exec_failed);
  report.set_out_of_memory(event.out_of_memory);
  report.set_failed_rank(event.failed_rank);
  MakeReport(task.assignment, std::move(report), now, effects);
}

void AgentCore::OnKind(TaskRow& task, const TaskVanished& event, const Moment& now,
                       Effects& effects) {
  MakeReport(task.assignment,
             EmptyReport(task.rebooted ? v1::REPORT_KIND_LOST_REBOOT : v1::REPORT_KIND_LOST_SHIM,
                         task.rebooted ? "the node rebooted" : event.message),
             now, effects);
}

// A report need not be durable before it is sent: a crash of the agent leaves it in the page cache,
// a crash of the machine makes another one of it. Its number must never come twice, though.
void AgentCore::MakeReport(const v1::Assignment& assignment, v1::Report report, const Moment& now,
                           Effects& effects) {
  if (next_report_seq_ >= records_.report_seq_limit) {
    JournalRecord block;
    block.mutable_counters()->set_report_seq_limit(next_report_seq_ + kReportSeqBlock);
    Note(std::move(block), true, effects);
  }
  report.set_report_seq(next_report_seq_++);
  report.set_allocation_id(assignment.allocation_id());
  report.set_job_id(assignment.job_id());
  report.set_attempt(assignment.attempt());
  report.set_at_us(absl::ToUnixMicros(now.wall));
  JournalRecord record;
  *record.mutable_report() = report;
  Note(std::move(record), false, effects);
  if (connected_) {
    SendReport(report, effects);
  }
}

void AgentCore::SendReport(const v1::Report& report, Effects& effects) const {
  *effects.messages.emplace_back().mutable_report() = report;
}

void AgentCore::Note(JournalRecord record, bool sync, Effects& effects) {
  Apply(records_, record);
  effects.records.push_back(std::move(record));
  effects.sync = effects.sync || sync;
}

absl::Duration AgentCore::LeaseOf(const v1::Assignment& assignment) const {
  return assignment.lease_ms() > 0 ? absl::Milliseconds(assignment.lease_ms()) : lease_;
}

// At the lease's end the task must be dead within the kill timeout, so its grace is half of it at
// most.
LeaseTerms AgentCore::TermsOf(const v1::Assignment& assignment) const {
  LeaseTerms terms;
  terms.grace = std::min(absl::Milliseconds(assignment.grace_ms()), kill_timeout_ / 2);
  if (!assignment.hold_on_node_loss()) {
    terms.deadline = lease_from_ + LeaseOf(assignment);
  }
  return terms;
}

std::vector<v1::RunningTask> AgentCore::ListTasks() const {
  std::vector<v1::RunningTask> tasks;
  for (const auto& [id, row] : records_.tasks) {
    v1::RunningTask& task = tasks.emplace_back();
    task.set_allocation_id(id);
    task.set_job_id(row.assignment.job_id());
    task.set_attempt(row.assignment.attempt());
    task.set_state(row.state);
    task.set_assign_seq(row.assignment.assign_seq());
  }
  return tasks;
}

}  // namespace berth::agent
