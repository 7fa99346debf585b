#ifndef BERTH_AGENT_CORE_AGENT_CORE_H_
#define BERTH_AGENT_CORE_AGENT_CORE_H_

// The agent's decisions: messages, task events and times in; journal records, task actions and
// messages out. Pure and deterministic; one owner, one thread.

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

#include "agent/core/reconcile.h"
#include "agent/core/task_action.h"
#include "proto/agent_api.pb.h"
#include "proto/node.pb.h"

namespace berth::agent {

inline constexpr int kProtocolMin = 1;
inline constexpr int kProtocolMax = 1;

struct NodeIdentity {
  std::string name;
  std::string boot_id;
  v1::NodeFacts facts;
};

class AgentCore {
 public:
  // `records`: what the journal holds.
  AgentCore(NodeIdentity identity, NodeRecords records);

  // The first call: a new life of the agent, and the tasks to look after.
  Effects Begin();

  // ---- The session ----
  // A new stream: what to say first. Nothing else may be sent before its HelloAck.
  v1::AgentMessage MakeHello(const Moment& now);
  Effects HandleMessage(const v1::SchedulerMessage& message, const Moment& now);
  void SessionEnded();
  // Requires: is_connected().
  v1::AgentMessage MakeHeartbeat(const Moment& now);
  bool is_connected() const { return connected_; }
  absl::Duration heartbeat_interval() const { return heartbeat_interval_; }
  // Sent and not acknowledged for so long that the stream cannot be alive.
  bool IsSessionDead(const Moment& now) const;

  // ---- Tasks ----
  Effects HandleEvent(const TaskEvent& event, const Moment& now);

  const NodeRecords& records() const { return records_; }
  // Of tasks that have not ended.
  int CountLiveTasks() const;

 private:
  static constexpr int64_t kReportSeqBlock = 4096;
  static constexpr size_t kHeartbeatsUnackedMax = 1024;

  // Writes `record` down, in memory too.
  void Note(JournalRecord record, bool sync, Effects& effects);

  void HandleHelloAck(const v1::HelloAck& ack, Effects& effects);
  void HandleHeartbeatAck(const v1::HeartbeatAck& ack, Effects& effects);
  void HandleReportAck(const v1::ReportAck& ack, Effects& effects);
  void HandleAssignment(const v1::Assignment& assignment, const Moment& now, Effects& effects);
  void HandleStart(const v1::Start& start, Effects& effects);
  void HandleKill(const v1::Kill& kill, const Moment& now, Effects& effects);

  // Unspecified: the assignment may be accepted.
  v1::Refusal FindRefusal(const v1::Assignment& assignment, const Moment& now,
                          std::string& message) const;
  void MakeReport(const v1::Assignment& assignment, v1::Report report, const Moment& now,
                  Effects& effects);
  void SendReport(const v1::Report& report, Effects& effects) const;

  void OnKind(TaskRow& task, const TaskHeld& event, const Moment& now, Effects& effects);
  void OnKind(TaskRow& task, const TaskStarted& event, const Moment& now, Effects& effects);
  void OnKind(TaskRow& task, const TaskRefused& event, const Moment& now, Effects& effects);
  void OnKind(TaskRow& task, const TaskEnded& event, const Moment& now, Effects& effects);
  void OnKind(TaskRow& task, const TaskVanished& event, const Moment& now, Effects& effects);

  absl::Duration LeaseOf(const v1::Assignment& assignment) const;
  LeaseTerms TermsOf(const v1::Assignment& assignment) const;
  std::vector<v1::RunningTask> ListTasks() const;

  const NodeIdentity identity_;
  NodeRecords records_;
  int64_t next_report_seq_ = 0;

  // ---- Of the session ----
  bool connected_ = false;
  int64_t hello_report_seq_ = 0;  // reports below this one went with the hello
  absl::Duration hello_sent_;     // since boot
  uint64_t heartbeat_seq_ = 0;
  std::map<uint64_t, absl::Duration> heartbeats_sent_;  // by seq; not acknowledged
  absl::Duration heartbeat_interval_;

  // ---- The lease ----
  // When the last acknowledged hello or heartbeat was sent; never when its answer came.
  absl::Duration lease_from_ = -absl::InfiniteDuration();
  absl::Duration lease_;
  absl::Duration kill_timeout_;
};

}  // namespace berth::agent

#endif  // BERTH_AGENT_CORE_AGENT_CORE_H_
