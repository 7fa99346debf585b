#include "agent/core/agent_core.h"

#include <set>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include <gtest/gtest.h>

#include "tests/testing/agent_messages.h"

namespace berth {
namespace {

// ---- Acceptance ----

TEST_F(AgentCoreTest, AcceptedAssignmentIsDurableBeforeItIsPrepared) {
  Connect();
  const AgentOutput output = Receive(Assign({MakeAssignment(11, 1)}));
  EXPECT_TRUE(Records<AssignmentAccepted>(output));
  EXPECT_TRUE(output.must_sync);
  ASSERT_EQ(ActionsOf<PrepareTask>(output).size(), 1u);
  EXPECT_EQ(ActionsOf<PrepareTask>(output)[0].assignment.allocation_id(), 11u);
  EXPECT_EQ(core_.state().assign_seq_max, 1);
}

TEST_F(AgentCoreTest, ManyAssignmentsOfOneMessageShareOneOutput) {
  Connect();
  const AgentOutput output =
      Receive(Assign({MakeAssignment(11, 1), MakeAssignment(12, 2), MakeAssignment(13, 3)}));
  EXPECT_EQ(output.journal.size(), 3u);
  EXPECT_EQ(ActionsOf<PrepareTask>(output).size(), 3u);
  EXPECT_EQ(core_.state().assign_seq_max, 3);
}

TEST_F(AgentCoreTest, DevicesAreInUseUntilTheirTaskHasEnded) {
  Connect();
  v1::Assignment assignment = MakeAssignment(11, 1);
  assignment.add_devices()->set_uuid("GPU-a");
  Receive(Assign({assignment}));
  const std::set<std::string> device = {"GPU-a"};
  EXPECT_EQ(core_.FindDevicesInUse().all, device);
  EXPECT_TRUE(core_.FindDevicesInUse().begun.empty());
  Happens(TaskPrepared{11, "", 0});
  EXPECT_EQ(core_.FindDevicesInUse().begun, device);
  Happens(TaskStarted{11});
  Happens(TaskEnded{.allocation_id = 11});
  EXPECT_TRUE(core_.FindDevicesInUse().all.empty());
}

TEST_F(AgentCoreTest, AJobsTokenGoesToItsTaskAndIntoNoRecord) {
  Connect();
  v1::SchedulerMessage message = Assign({GangMember(11, 1), GangMember(12, 2)});
  (*message.mutable_assign()->mutable_job_tokens())[12] = "secret";
  const AgentOutput output = Receive(message);
  const std::vector<PrepareTask> tasks = ActionsOf<PrepareTask>(output);
  ASSERT_EQ(tasks.size(), 2u);
  EXPECT_EQ(tasks[0].job_token, "");
  EXPECT_EQ(tasks[1].job_token, "secret");
  for (const auto& [id, task] : core_.state().tasks) {
    EXPECT_EQ(task.assignment.SerializeAsString().find("secret"), std::string::npos);
  }
}

TEST_F(AgentCoreTest, RepeatedAssignmentIsNotPreparedAgain) {
  Connect();
  Receive(Assign({MakeAssignment(11, 5)}));
  const AgentOutput output = Receive(Assign({MakeAssignment(11, 5)}));
  EXPECT_TRUE(output.actions.empty());
  EXPECT_TRUE(output.journal.empty());
}

TEST_F(AgentCoreTest, OlderNumberIsNotAcceptedEvenForAnotherAllocation) {
  Connect();
  Receive(Assign({MakeAssignment(11, 5)}));
  EXPECT_TRUE(Receive(Assign({MakeAssignment(12, 4)})).actions.empty());
}

TEST_F(AgentCoreTest, NothingIsAcceptedWithoutASession) {
  Hello();
  EXPECT_TRUE(Receive(Assign({MakeAssignment(11, 1)})).actions.empty());
  Connect();
  core_.OnDisconnected();
  EXPECT_TRUE(Receive(Assign({MakeAssignment(11, 1)})).actions.empty());
  EXPECT_EQ(core_.state().assign_seq_max, 0);
}

// ---- Epoch ----

TEST_F(AgentCoreTest, HigherEpochIsDurableBeforeItIsObeyed) {
  Hello();
  const AgentOutput output = Receive(HelloAck(9));
  EXPECT_TRUE(Records<EpochSeen>(output));
  EXPECT_TRUE(output.must_sync);
  EXPECT_TRUE(core_.connected());
  EXPECT_EQ(Hello().sched_epoch_max(), 9u);
}

TEST_F(AgentCoreTest, LowerEpochIsNeverObeyed) {
  Hello();
  Receive(HelloAck(9));
  core_.OnDisconnected();
  Hello();
  Receive(HelloAck(8));
  EXPECT_FALSE(core_.connected());
  EXPECT_TRUE(Receive(Assign({MakeAssignment(11, 1)})).actions.empty());
}

// ---- Tombstones ----

TEST_F(AgentCoreTest, KillOfTheUnknownLeavesADurableTombstoneAndAnswersNeverRan) {
  Connect();
  const AgentOutput output = Receive(Kill(11));
  EXPECT_TRUE(Records<TombstoneSet>(output));
  EXPECT_TRUE(output.must_sync);
  EXPECT_EQ(OnlyReport(output).kind(), v1::REPORT_KIND_NEVER_RAN);
  EXPECT_EQ(OnlyReport(output).allocation_id(), 11u);
}

TEST_F(AgentCoreTest, AssignmentBehindItsKillIsRefused) {
  Connect();
  Receive(Kill(11));
  const AgentOutput output = Receive(Assign({MakeAssignment(11, 1)}));
  EXPECT_TRUE(output.actions.empty());
  EXPECT_EQ(OnlyReport(output).kind(), v1::REPORT_KIND_REFUSED);
  EXPECT_EQ(OnlyReport(output).refusal(), v1::REFUSAL_FENCED);
}

TEST_F(AgentCoreTest, TombstoneOutlivesTheAgentAndTheAcknowledgement) {
  Connect();
  Receive(ReportAck(OnlyReport(Receive(Kill(11))).report_seq()));
  AgentCore next(core_.state(), "node-1", kBoot);
  next.MakeHello({}, kHelloSent);
  next.OnMessage(HelloAck(), kHelloSent);
  const AgentOutput output = next.OnMessage(Assign({MakeAssignment(11, 1)}), kHelloSent);
  EXPECT_EQ(OnlyReport(output).refusal(), v1::REFUSAL_FENCED);
}

TEST_F(AgentCoreTest, EachAnswerToAKillOfTheUnknownBringsItsTombstone) {
  Connect();
  Receive(Kill(11));  // its record may not have reached a full disk
  const AgentOutput output = Receive(Kill(11));
  EXPECT_TRUE(Records<TombstoneSet>(output));
  EXPECT_TRUE(output.must_sync);
}

// An output whose records cannot be written is not said. Its reports are, when they can.
TEST_F(AgentCoreTest, TellsAgainWhatIsNotAcknowledged) {
  Connect();
  const int64_t first = OnlyReport(Receive(Kill(11))).report_seq();
  const int64_t second = OnlyReport(Receive(Kill(12))).report_seq();
  Receive(ReportAck(first));
  const std::vector<v1::AgentMessage> messages = core_.TellAgain();
  ASSERT_EQ(messages.size(), 1u);
  EXPECT_EQ(messages[0].report().report_seq(), second);
}

TEST_F(AgentCoreTest, AFaultOfTheNodeIsToldUntilItIsAcknowledged) {
  const AgentOutput early = core_.OnNodeFault(0, "control groups of nobody", 1);
  EXPECT_TRUE(early.messages.empty());  // not connected
  const v1::Hello hello = core_.MakeHello({}, kHelloSent).hello();
  ASSERT_EQ(hello.reports_size(), 1);
  EXPECT_EQ(hello.reports(0).kind(), v1::REPORT_KIND_QUARANTINE);
  EXPECT_EQ(hello.reports(0).message(), "control groups of nobody");
  Receive(HelloAck());
  Receive(ReportAck(hello.reports(0).report_seq()));
  EXPECT_TRUE(core_.TellAgain().empty());
}

// ---- The lease ----

TEST_F(AgentCoreTest, LeaseCountsFromTheSendOfTheHello) {
  Connect();
  const AgentOutput output =
      Receive(Assign({MakeAssignment(11, 1)}), kHelloSent + absl::Minutes(10));
  ASSERT_EQ(ActionsOf<PrepareTask>(output).size(), 1u);
  EXPECT_EQ(ActionsOf<PrepareTask>(output)[0].lease_deadline, kHelloSent + kLease);
}

TEST_F(AgentCoreTest, LeaseCountsFromTheSendOfTheHeartbeatNotFromItsAnswer) {
  Connect();
  Receive(Assign({MakeAssignment(11, 1)}));
  const absl::Duration sent = kHelloSent + absl::Minutes(5);
  const uint64_t seq = core_.MakeHeartbeat({}, sent).heartbeat().heartbeat_seq();
  const AgentOutput output = Receive(HeartbeatAck(seq), sent + absl::Minutes(20));
  ASSERT_EQ(ActionsOf<SetLease>(output).size(), 1u);
  EXPECT_EQ(ActionsOf<SetLease>(output)[0].allocation_id, 11u);
  EXPECT_EQ(ActionsOf<SetLease>(output)[0].deadline, sent + kLease);
}

TEST_F(AgentCoreTest, UnknownOrRepeatedHeartbeatAckExtendsNothing) {
  Connect();
  Receive(Assign({MakeAssignment(11, 1)}));
  const uint64_t seq =
      core_.MakeHeartbeat({}, kHelloSent + absl::Minutes(5)).heartbeat().heartbeat_seq();
  EXPECT_TRUE(Receive(HeartbeatAck(seq + 1)).actions.empty());
  EXPECT_FALSE(Receive(HeartbeatAck(seq)).actions.empty());
  EXPECT_TRUE(Receive(HeartbeatAck(seq)).actions.empty());
}

TEST_F(AgentCoreTest, AnswerToAnEarlierSessionsHeartbeatExtendsNothing) {
  Connect();
  Receive(Assign({MakeAssignment(11, 1)}));
  const uint64_t seq =
      core_.MakeHeartbeat({}, kHelloSent + absl::Minutes(5)).heartbeat().heartbeat_seq();
  Connect();
  EXPECT_TRUE(Receive(HeartbeatAck(seq)).actions.empty());
}

TEST_F(AgentCoreTest, AssignmentIsRefusedOnceTheLeaseIsOver) {
  Connect();
  const AgentOutput output = Receive(Assign({MakeAssignment(11, 1)}), kHelloSent + kLease);
  EXPECT_TRUE(output.actions.empty());
  EXPECT_EQ(OnlyReport(output).refusal(), v1::REFUSAL_LEASE);
}

// The scheduler has sent it twice; between the two the lease was renewed, and the refusal has freed
// the devices.
TEST_F(AgentCoreTest, ARefusedAssignmentIsNotTakenWhenItComesAgain) {
  Connect();
  Receive(Assign({MakeAssignment(11, 1)}), kHelloSent + kLease);
  const uint64_t seq = core_.MakeHeartbeat({}, kHelloSent + kLease).heartbeat().heartbeat_seq();
  Receive(HeartbeatAck(seq), kHelloSent + kLease);
  const AgentOutput again = Receive(Assign({MakeAssignment(11, 1)}), kHelloSent + kLease);
  EXPECT_TRUE(again.actions.empty());
  EXPECT_TRUE(again.messages.empty());
  EXPECT_EQ(
      ActionsOf<PrepareTask>(Receive(Assign({MakeAssignment(12, 2)}), kHelloSent + kLease)).size(),
      1u);
}

TEST_F(AgentCoreTest, JobsOwnShorterLeaseHolds) {
  Connect();
  v1::Assignment assignment = MakeAssignment(11, 1);
  assignment.set_lease_ms(60000);
  const AgentOutput output = Receive(Assign({assignment}));
  ASSERT_EQ(ActionsOf<PrepareTask>(output).size(), 1u);
  EXPECT_EQ(ActionsOf<PrepareTask>(output)[0].lease_deadline, kHelloSent + absl::Minutes(1));
}

TEST_F(AgentCoreTest, HeldTaskHasNoLease) {
  Connect();
  v1::Assignment assignment = MakeAssignment(11, 1);
  assignment.set_hold_on_node_loss(true);
  const AgentOutput output = Receive(Assign({assignment}), kHelloSent + 2 * kLease);
  ASSERT_EQ(ActionsOf<PrepareTask>(output).size(), 1u);
  EXPECT_EQ(ActionsOf<PrepareTask>(output)[0].lease_deadline, absl::InfiniteDuration());
  const uint64_t seq = core_.MakeHeartbeat({}, kHelloSent + kLease).heartbeat().heartbeat_seq();
  EXPECT_TRUE(ActionsOf<SetLease>(Receive(HeartbeatAck(seq))).empty());
}

// ---- Gangs ----

TEST_F(AgentCoreTest, MemberOfAGangIsPreparedAndWaits) {
  Connect();
  Receive(Assign({GangMember(11, 1)}));
  const AgentOutput output = Happens(TaskPrepared{11, "10.0.0.1", 20007});
  EXPECT_TRUE(output.actions.empty());
  EXPECT_EQ(OnlyReport(output).kind(), v1::REPORT_KIND_PREPARED);
  EXPECT_EQ(OnlyReport(output).rendezvous_address(), "10.0.0.1");
  EXPECT_EQ(OnlyReport(output).rendezvous_port(), 20007);
  EXPECT_EQ(State(), v1::TASK_STATE_PREPARED);
}

TEST_F(AgentCoreTest, GangStartsOnlyWhenToldAndOnce) {
  Connect();
  Receive(Assign({GangMember(11, 1)}));
  EXPECT_TRUE(Receive(Start(11)).actions.empty()) << "started before it was prepared";
  Happens(TaskPrepared{11, "", 0});
  EXPECT_TRUE(Receive(Start(11, 1)).actions.empty()) << "started for another attempt";
  EXPECT_EQ(ActionsOf<RunTask>(Receive(Start(11))).size(), 1u);
  EXPECT_TRUE(Receive(Start(11)).actions.empty()) << "started twice";
  EXPECT_EQ(OnlyReport(Happens(TaskStarted{11})).kind(), v1::REPORT_KIND_STARTED);
  EXPECT_EQ(State(), v1::TASK_STATE_RUNNING);
}

TEST_F(AgentCoreTest, SingleMemberNeedsNoStart) {
  Connect();
  Receive(Assign({MakeAssignment(11, 1)}));
  EXPECT_TRUE(Happens(TaskPrepared{11, "", 0}).messages.empty());
  EXPECT_EQ(OnlyReport(Happens(TaskStarted{11})).kind(), v1::REPORT_KIND_STARTED);
}

// ---- Stops and ends ----

TEST_F(AgentCoreTest, KillStopsTheTaskAndMayBeSharpened) {
  Connect();
  Receive(Assign({MakeAssignment(11, 1)}));
  Happens(TaskPrepared{11, "", 0});
  Happens(TaskStarted{11});
  const auto first = ActionsOf<StopTask>(Receive(Kill(11, 30000)));
  ASSERT_EQ(first.size(), 1u);
  EXPECT_EQ(first[0].reason, v1::STOP_REASON_CANCELLED);
  EXPECT_EQ(first[0].grace, absl::Seconds(30));
  const auto second = ActionsOf<StopTask>(Receive(Kill(11, 0)));
  ASSERT_EQ(second.size(), 1u);
  EXPECT_EQ(second[0].grace, absl::ZeroDuration());
  EXPECT_EQ(State(), v1::TASK_STATE_STOPPING);
}

TEST_F(AgentCoreTest, KillBeforeTheShimAnswersIsNotLost) {
  Connect();
  Receive(Assign({GangMember(11, 1)}));
  EXPECT_EQ(ActionsOf<StopTask>(Receive(Kill(11))).size(), 1u);
  EXPECT_TRUE(Happens(TaskPrepared{11, "", 0}).messages.empty());
  EXPECT_TRUE(Receive(Start(11)).actions.empty());
}

TEST_F(AgentCoreTest, OwnEndIsExitedAndBerthsIsKilled) {
  Connect();
  Receive(Assign({MakeAssignment(11, 1), MakeAssignment(12, 2)}));
  const v1::Report own = OnlyReport(Happens(TaskEnded{.allocation_id = 11,
                                                      .exit_code = 3,
                                                      .failed_rank = 1,
                                                      .out_of_memory = true,
                                                      .message = "why",
                                                      .log_tail = "last words"}));
  EXPECT_TRUE(own.out_of_memory());
  EXPECT_EQ(own.log_tail(), "last words");
  EXPECT_EQ(own.kind(), v1::REPORT_KIND_EXITED);
  EXPECT_EQ(own.exit_code(), 3);
  EXPECT_EQ(own.failed_rank(), 1);
  EXPECT_EQ(own.message(), "why");
  EXPECT_EQ(own.at_us(), 5);
  const v1::Report stopped = OnlyReport(Happens(
      TaskEnded{.allocation_id = 12, .signal = 15, .stop_reason = v1::STOP_REASON_PREEMPTED}));
  EXPECT_EQ(stopped.kind(), v1::REPORT_KIND_KILLED);
  EXPECT_EQ(stopped.stop_reason(), v1::STOP_REASON_PREEMPTED);
  EXPECT_EQ(stopped.signal(), 15);
}

TEST_F(AgentCoreTest, AnEndIsReportedOnce) {
  Connect();
  Receive(Assign({MakeAssignment(11, 1)}));
  Happens(TaskEnded{.allocation_id = 11});
  EXPECT_TRUE(Happens(TaskEnded{.allocation_id = 11}).messages.empty());
  EXPECT_TRUE(Happens(TaskLost{11}).messages.empty());
  EXPECT_TRUE(Receive(Kill(11)).actions.empty());
}

TEST_F(AgentCoreTest, RefusalByTheNodeIsReported) {
  Connect();
  Receive(Assign({MakeAssignment(11, 1)}));
  const v1::Report report =
      OnlyReport(Happens(TaskRefused{11, v1::REFUSAL_LOCK_HELD, "device is held"}));
  EXPECT_EQ(report.kind(), v1::REPORT_KIND_REFUSED);
  EXPECT_EQ(report.refusal(), v1::REFUSAL_LOCK_HELD);
  EXPECT_EQ(report.message(), "device is held");
}

// ---- Reports ----

TEST_F(AgentCoreTest, UnacknowledgedReportsTravelWithEveryHello) {
  Connect();
  Receive(Assign({MakeAssignment(11, 1)}));
  core_.OnDisconnected();
  EXPECT_TRUE(Happens(TaskEnded{.allocation_id = 11, .exit_code = 3}).messages.empty());
  for (int i = 0; i < 2; ++i) {
    const v1::Hello hello = Hello();
    ASSERT_EQ(hello.reports_size(), 1);
    EXPECT_EQ(hello.reports(0).exit_code(), 3);
    ASSERT_EQ(hello.tasks_size(), 1);
    EXPECT_EQ(hello.tasks(0).state(), v1::TASK_STATE_EXITED);
  }
}

// It is in no hello, and there was nobody to send it to.
TEST_F(AgentCoreTest, ReportBetweenHelloAndItsAnswerIsSentWithTheAnswer) {
  Connect();
  Receive(Assign({MakeAssignment(11, 1)}));
  core_.OnDisconnected();
  EXPECT_EQ(Hello().reports_size(), 0);
  EXPECT_TRUE(Happens(TaskEnded{.allocation_id = 11, .exit_code = 3}).messages.empty());
  const AgentOutput output = Receive(HelloAck());
  ASSERT_EQ(output.messages.size(), 1u);
  EXPECT_EQ(output.messages[0].report().exit_code(), 3);
  core_.OnDisconnected();
  EXPECT_EQ(Hello().reports_size(), 1);
  EXPECT_TRUE(Receive(HelloAck()).messages.empty()) << "the hello has told it";
}

TEST_F(AgentCoreTest, AcknowledgedEndIsForgottenAndItsRecordDropped) {
  Connect();
  Receive(Assign({MakeAssignment(11, 1)}));
  const int64_t seq = OnlyReport(Happens(TaskEnded{.allocation_id = 11})).report_seq();
  const AgentOutput output = Receive(ReportAck(seq));
  EXPECT_TRUE(Records<TaskForgotten>(output));
  ASSERT_EQ(ActionsOf<DropTask>(output).size(), 1u);
  EXPECT_EQ(ActionsOf<DropTask>(output)[0].job_id, 1011u);
  EXPECT_EQ(ActionsOf<DropTask>(output)[0].attempt, 2);
  EXPECT_FALSE(core_.HasTasks());
  EXPECT_EQ(Hello().reports_size(), 0);
  EXPECT_EQ(Hello().assign_seq_max(), 1) << "forgetting a task must not open its number again";
}

TEST_F(AgentCoreTest, AcknowledgedStartKeepsTheTask) {
  Connect();
  Receive(Assign({MakeAssignment(11, 1)}));
  Happens(TaskPrepared{11, "", 0});
  const int64_t seq = OnlyReport(Happens(TaskStarted{11})).report_seq();
  EXPECT_TRUE(Receive(ReportAck(seq)).actions.empty());
  EXPECT_EQ(State(), v1::TASK_STATE_RUNNING);
}

TEST_F(AgentCoreTest, ReportNumbersGrowOverTheLivesOfTheAgent) {
  Connect();
  const int64_t before = OnlyReport(Receive(Kill(11))).report_seq();
  AgentState state = core_.state();
  ++state.incarnation;
  AgentCore next(state, "node-1", kBoot);
  next.MakeHello({}, kHelloSent);
  next.OnMessage(HelloAck(), kHelloSent);
  EXPECT_GT(OnlyReport(next.OnMessage(Kill(12), kHelloSent)).report_seq(), before);
}

}  // namespace
}  // namespace berth
