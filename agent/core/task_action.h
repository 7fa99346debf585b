#ifndef BERTH_AGENT_CORE_TASK_ACTION_H_
#define BERTH_AGENT_CORE_TASK_ACTION_H_

// What goes into the agent's core beside messages, and what comes out: plain values.

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/time/time.h"

#include "agent/core/journal_record.pb.h"
#include "proto/agent_api.pb.h"

namespace berth::agent {

// The two clocks that the core knows, read by the caller.
struct Moment {
  absl::Duration since_boot;  // CLOCK_BOOTTIME: for every decision
  absl::Time wall;            // for display
};

// ---- In: what became of a task ----

// Its shim holds the locks and waits.
struct TaskHeld {
  int rendezvous_port = 0;  // 0: as before
};
// Its command is executed.
struct TaskStarted {};
struct TaskRefused {
  v1::Refusal refusal = v1::REFUSAL_UNSPECIFIED;
  std::string message;
};
struct TaskEnded {
  bool launch_failed = false;
  int exit_code = 0;
  int signal = 0;
  v1::StopReason stop_reason = v1::STOP_REASON_UNSPECIFIED;
  bool exec_failed = false;
  bool out_of_memory = false;
  int failed_rank = -1;
  std::string message;
};
// Neither shim nor exit record is there.
struct TaskVanished {
  std::string message;
};

struct TaskEvent {
  uint64_t allocation_id = 0;
  std::variant<TaskHeld, TaskStarted, TaskRefused, TaskEnded, TaskVanished> kind;
};

// ---- Out: what to do with a task ----

struct LeaseTerms {
  std::optional<absl::Duration> deadline;  // since boot; absent: the lease does not end the task
  absl::Duration grace;                    // between its end and the kill
};

// Take the locks and spawn the shim; with start_at_once in the assignment, start the command too.
struct PrepareAction {
  v1::Assignment assignment;
  LeaseTerms lease;
};
struct StartAction {
  v1::Start start;
};
struct StopAction {
  v1::StopReason reason = v1::STOP_REASON_UNSPECIFIED;
  absl::Duration grace;
  std::string message;
};
struct LeaseAction {
  absl::Duration deadline;  // since boot
};
// Find the shim of an earlier life of the agent, or what it left.
struct AdoptAction {
  v1::Assignment assignment;
  bool rebooted = false;  // there can be no shim
};
// The report of its end is acknowledged: nothing of it is needed but its logs and output.
struct ForgetAction {
  uint64_t job_id = 0;
  int attempt = 0;
};

struct TaskAction {
  uint64_t allocation_id = 0;
  std::variant<PrepareAction, StartAction, StopAction, LeaseAction, AdoptAction, ForgetAction> kind;
};

// What follows from one input. The caller appends the records and, if `sync`, makes them durable;
// then it takes the actions; then it sends the messages.
struct Effects {
  std::vector<JournalRecord> records;
  bool sync = false;
  std::vector<TaskAction> actions;
  std::vector<v1::AgentMessage> messages;
  std::string end_session;  // why the session must not go on; empty: it may
};

// `later` behind `earlier`.
void Append(Effects& earlier, Effects later);

}  // namespace berth::agent

#endif  // BERTH_AGENT_CORE_TASK_ACTION_H_
