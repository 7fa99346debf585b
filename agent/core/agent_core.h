#ifndef BERTH_AGENT_CORE_AGENT_CORE_H_
#define BERTH_AGENT_CORE_AGENT_CORE_H_

// The agent's side of the protocol as a pure state machine: messages and process events in; journal
// records, process actions and messages out. Owned by the Agent (or the simulator); one thread.
// Times come as arguments. The caller makes the journal records durable, then carries out the
// actions, then sends the messages.

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

#include "agent/core/journal_record.h"
#include "agent/core/task_lifecycle.h"
#include "proto/agent_api.pb.h"

namespace berth {

// ---- What the agent must do to processes ----

// Answered by TaskPrepared, TaskRefused, or (start_at_once) TaskStarted or TaskEnded.
struct PrepareTask {
  v1::Assignment assignment;
  absl::Duration lease_deadline;  // since boot; infinite: none
  std::string job_token = {};     // empty: it has none
};
struct RunTask {
  uint64_t allocation_id = 0;
  v1::Start start;
};
struct StopTask {
  uint64_t allocation_id = 0;
  v1::StopReason reason = v1::STOP_REASON_UNSPECIFIED;
  absl::Duration grace;
  std::string message;
};
struct SetLease {
  uint64_t allocation_id = 0;
  absl::Duration deadline;  // since boot
};
// Its exit record is not needed any more.
struct DropTask {
  uint64_t job_id = 0;
  int attempt = 0;
};

using TaskAction = std::variant<PrepareTask, RunTask, StopTask, SetLease, DropTask>;

// ---- What processes did ----

struct TaskPrepared {
  uint64_t allocation_id = 0;
  std::string rendezvous_address;
  int rendezvous_port = 0;
};
struct TaskRefused {
  uint64_t allocation_id = 0;
  v1::Refusal refusal = v1::REFUSAL_UNSPECIFIED;
  std::string message;
};
struct TaskStarted {
  uint64_t allocation_id = 0;
};
struct TaskEnded {
  uint64_t allocation_id = 0;
  int exit_code = 0;
  int signal = 0;
  int failed_rank = -1;
  v1::StopReason stop_reason = v1::STOP_REASON_UNSPECIFIED;
  bool exec_failed = false;
  bool out_of_memory = false;
  bool node_fault = false;  // the node, or a device of the task, failed; message says which
  std::string message;
  std::string log_tail;        // of the failed rank
  v1::TaskNotice notice = {};  // the last that it told of itself; its ids are not needed
};
// Its shim is gone and left no record.
struct TaskLost {
  uint64_t allocation_id = 0;
};

using TaskEvent = std::variant<TaskPrepared, TaskRefused, TaskStarted, TaskEnded, TaskLost>;

// Uuids of the devices of tasks that have not ended.
struct DevicesInUse {
  std::set<std::string> all;
  std::set<std::string> begun;  // of those: by tasks that are at least prepared
};

struct AgentOutput {
  std::vector<JournalRecord> journal;
  bool must_sync = false;  // the records must be on disk before the rest happens
  std::vector<TaskAction> actions;
  std::vector<v1::AgentMessage> messages;  // for the present session; dropped without one
};

class AgentCore {
 public:
  // `state` as read from the journal. Its tasks are adopted by the caller, which tells about each
  // with Adopt or OnTask: TaskEnded where there is an exit record, else TaskLost.
  AgentCore(AgentState state, absl::string_view node, absl::string_view boot_id);

  // Tasks that the journal knows, for adoption at the start. Those of an earlier boot have ended,
  // but perhaps left a record.
  std::vector<JournaledTask> TasksToAdopt() const;
  // A shim of the earlier agent was found alive: prepared, running or stopping. `address` is this
  // node's.
  AgentOutput Adopt(uint64_t allocation_id, v1::TaskState state, absl::string_view address);
  // Processes of a task were found that no record tells of: they are being ended, and TaskLost says
  // when nothing of them runs any more. Until then the scheduler is told that they do.
  AgentOutput AdoptStray(uint64_t allocation_id);
  bool Knows(uint64_t allocation_id) const { return tasks_.contains(allocation_id); }

  // The first message of a stream; `now` is since boot.
  v1::AgentMessage MakeHello(const v1::NodeFacts& facts, absl::Duration now);
  // What a heartbeat tells, without its number: the tasks, and which assignments are known.
  v1::Heartbeat MakeState() const;
  v1::AgentMessage MakeHeartbeat(v1::Heartbeat state, absl::Duration now);
  // Every report that waits for its acknowledgement, for the present session: some were not sent
  // because a record of their output could not be written, and now all records are.
  std::vector<v1::AgentMessage> TellAgain() const;
  AgentOutput OnMessage(const v1::SchedulerMessage& message, absl::Duration now);
  void OnDisconnected() { connected_ = false; }
  // `at_us` is the wall clock, for display.
  AgentOutput OnTask(const TaskEvent& event, int64_t at_us);

  // The node contradicts itself, or `allocation_id` (0: no task) cannot be ended: nothing new is to
  // be placed here. `why` is for people.
  AgentOutput OnNodeFault(uint64_t allocation_id, absl::string_view why, int64_t at_us);

  bool connected() const { return connected_; }
  bool HasTasks() const { return !tasks_.empty(); }
  DevicesInUse FindDevicesInUse() const;
  const v1::HelloAck& session() const { return session_; }
  // Everything durable, for a compaction of the journal.
  const AgentState& state() const { return state_; }
  // Of this life.
  const TaskTransitionCounts& transitions() const { return transitions_; }

 private:
  struct Task {
    v1::Assignment assignment;
    v1::TaskState state = v1::TASK_STATE_JOURNALED;
    int64_t end_report = 0;  // seq of the report that ends it; 0: none yet
    bool before_reboot = false;
  };

  void OnHelloAck(const v1::HelloAck& ack, absl::Duration now, AgentOutput& output);
  void OnHeartbeatAck(const v1::HeartbeatAck& ack, absl::Duration now, AgentOutput& output);
  void OnReportAck(const v1::ReportAck& ack, AgentOutput& output);
  void OnAssignment(const v1::Assignment& assignment, const v1::Assign& message, absl::Duration now,
                    AgentOutput& output);
  void RefuseAssignment(const v1::Assignment& assignment, v1::Refusal why,
                        absl::string_view message, AgentOutput& output);
  void OnStart(const v1::Start& start, AgentOutput& output);
  void OnKill(const v1::Kill& kill, AgentOutput& output);

  void Handle(Task& task, const TaskPrepared& event, AgentOutput& output);
  void Handle(Task& task, const TaskRefused& event, AgentOutput& output);
  void Handle(Task& task, const TaskStarted& event, AgentOutput& output);
  void Handle(Task& task, const TaskEnded& event, AgentOutput& output);
  void Handle(Task& task, const TaskLost& event, AgentOutput& output);

  // The only caller of Move().
  void Advance(v1::TaskState& state, v1::TaskState to);
  void Record(JournalRecord record, bool sync, AgentOutput& output);
  v1::Report ReportOf(const v1::Assignment& assignment, v1::ReportKind kind);
  int64_t Send(v1::Report report, AgentOutput& output);
  absl::Duration LeaseDeadline(const v1::Assignment& assignment) const;
  void FillTasks(google::protobuf::RepeatedPtrField<v1::RunningTask>& tasks) const;

  AgentState state_;
  const std::string node_;
  std::map<uint64_t, Task> tasks_;                 // by allocation
  std::map<int64_t, v1::Report> unacked_;          // by seq
  std::map<int64_t, uint64_t> tombstone_reports_;  // seq -> allocation
  v1::HelloAck session_;
  bool connected_ = false;
  TaskTransitionCounts transitions_;
  int64_t at_us_ = 0;  // of the event being handled
  int64_t last_report_seq_;
  int64_t told_report_seq_ = 0;  // the highest that the last hello could tell of
  uint64_t last_heartbeat_ = 0;
  std::map<uint64_t, absl::Duration> heartbeat_sent_;  // not acknowledged; 0 is the hello
  absl::Duration last_contact_ =
      -absl::InfiniteDuration();  // send time of the last acknowledged one
};

}  // namespace berth

#endif  // BERTH_AGENT_CORE_AGENT_CORE_H_
