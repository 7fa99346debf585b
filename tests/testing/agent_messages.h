#ifndef BERTH_TESTS_TESTING_AGENT_MESSAGES_H_
#define BERTH_TESTS_TESTING_AGENT_MESSAGES_H_

// What a scheduler says to an agent's core, and what the core makes of it.

#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/time/time.h"
#include <gtest/gtest.h>

#include "agent/core/agent_core.h"

namespace berth {

inline constexpr absl::Duration kLease = absl::Minutes(30);
inline constexpr absl::Duration kHelloSent = absl::Seconds(100);
inline constexpr uint64_t kEpoch = 7;
inline constexpr char kBoot[] = "boot-1";

inline v1::SchedulerMessage HelloAck(uint64_t epoch = kEpoch) {
  v1::SchedulerMessage message;
  message.mutable_hello_ack()->set_sched_epoch(epoch);
  message.mutable_hello_ack()->set_lease_ms(absl::ToInt64Milliseconds(kLease));
  return message;
}

inline v1::Assignment MakeAssignment(uint64_t allocation, int64_t seq) {
  v1::Assignment assignment;
  assignment.set_allocation_id(allocation);
  assignment.set_assign_seq(seq);
  assignment.set_job_id(allocation + 1000);
  assignment.set_attempt(2);
  assignment.set_start_at_once(true);
  return assignment;
}

inline v1::Assignment GangMember(uint64_t allocation, int64_t seq) {
  v1::Assignment assignment = MakeAssignment(allocation, seq);
  assignment.set_start_at_once(false);
  assignment.set_node_count(2);
  return assignment;
}

inline v1::SchedulerMessage Assign(const std::vector<v1::Assignment>& assignments) {
  v1::SchedulerMessage message;
  for (const v1::Assignment& assignment : assignments) {
    *message.mutable_assign()->add_assignments() = assignment;
  }
  return message;
}

inline v1::SchedulerMessage Start(uint64_t allocation, int attempt = 2) {
  v1::SchedulerMessage message;
  message.mutable_start()->set_allocation_id(allocation);
  message.mutable_start()->set_attempt(attempt);
  return message;
}

inline v1::SchedulerMessage Kill(uint64_t allocation, int64_t grace_ms = 0) {
  v1::SchedulerMessage message;
  message.mutable_kill()->set_allocation_id(allocation);
  message.mutable_kill()->set_job_id(allocation + 1000);
  message.mutable_kill()->set_reason(v1::STOP_REASON_CANCELLED);
  message.mutable_kill()->set_grace_ms(grace_ms);
  return message;
}

inline v1::SchedulerMessage HeartbeatAck(uint64_t seq) {
  v1::SchedulerMessage message;
  message.mutable_heartbeat_ack()->set_heartbeat_seq(seq);
  return message;
}

inline v1::SchedulerMessage ReportAck(int64_t seq) {
  v1::SchedulerMessage message;
  message.mutable_report_ack()->add_report_seqs(seq);
  return message;
}

template <typename Kind>
inline std::vector<Kind> ActionsOf(const AgentOutput& output) {
  std::vector<Kind> found;
  for (const TaskAction& action : output.actions) {
    if (const Kind* kind = std::get_if<Kind>(&action)) {
      found.push_back(*kind);
    }
  }
  return found;
}

template <typename Kind>
inline bool Records(const AgentOutput& output) {
  for (const JournalRecord& record : output.journal) {
    if (std::holds_alternative<Kind>(record)) {
      return true;
    }
  }
  return false;
}

// The one report of an output; an empty one if there is not exactly one.
inline v1::Report OnlyReport(const AgentOutput& output) {
  return output.messages.size() == 1 ? output.messages[0].report() : v1::Report();
}

class AgentCoreTest : public testing::Test {
 protected:
  AgentCoreTest() : core_(AgentState{.incarnation = 1, .boot_id = kBoot}, "node-1", kBoot) {}

  v1::Hello Hello() { return core_.MakeHello({}, kHelloSent).hello(); }
  void Connect() {
    Hello();
    core_.OnMessage(HelloAck(), kHelloSent);
  }
  AgentOutput Receive(const v1::SchedulerMessage& message,
                      absl::Duration now = kHelloSent + absl::Seconds(1)) {
    return core_.OnMessage(message, now);
  }
  AgentOutput Happens(const TaskEvent& event) { return core_.OnTask(event, 5); }
  // Of the only task.
  v1::TaskState State() {
    const v1::Hello hello = Hello();
    return hello.tasks_size() == 1 ? hello.tasks(0).state() : v1::TASK_STATE_UNSPECIFIED;
  }

  AgentCore core_;
};

}  // namespace berth

#endif  // BERTH_TESTS_TESTING_AGENT_MESSAGES_H_
