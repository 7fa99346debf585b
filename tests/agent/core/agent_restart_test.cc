// The core of an agent that begins anew: with its journal, without it, after a reboot.

#include <string>
#include <vector>

#include "absl/time/time.h"
#include <gtest/gtest.h>

#include "agent/core/agent_core.h"
#include "agent/core/task_lifecycle.h"
#include "tests/testing/agent_messages.h"

namespace berth {
namespace {

// ---- The next life ----

// A core that starts with one accepted assignment in its journal.
AgentCore Restarted(v1::Assignment assignment, const std::string& boot, int port = 0) {
  AgentState state{.incarnation = 2, .boot_id = kBoot};
  ApplyRecord(AssignmentAccepted{std::move(assignment)}, state);
  ApplyRecord(RendezvousReserved{11, port}, state);
  return AgentCore(state, "node-1", boot);
}

TEST(AgentCoreRestart, RebootLosesWhatRan) {
  AgentCore core = Restarted(MakeAssignment(11, 4), "boot-2");
  ASSERT_EQ(core.TasksToAdopt().size(), 1u);
  core.OnTask(TaskLost{11}, 5);
  const v1::Hello hello = core.MakeHello({}, kHelloSent).hello();
  EXPECT_EQ(hello.boot_id(), "boot-2");
  EXPECT_EQ(hello.assign_seq_max(), 4);
  ASSERT_EQ(hello.reports_size(), 1);
  EXPECT_EQ(hello.reports(0).kind(), v1::REPORT_KIND_LOST_REBOOT);
  EXPECT_EQ(hello.reports(0).allocation_id(), 11u);
}

// ---- A lost journal ----

TEST(AgentCoreJournalLoss, ANewJournalSaysSinceWhenItIsWhole) {
  AgentState state;
  BeginLife(1000, true, {}, state);
  state.boot_id = kBoot;
  EXPECT_EQ(AgentCore(state, "node-1", kBoot).MakeHello({}, kHelloSent).hello().journal_since(),
            1000u);
  BeginLife(2000, false, {}, state);
  const v1::Hello later = AgentCore(state, "node-1", kBoot).MakeHello({}, kHelloSent).hello();
  EXPECT_EQ(later.incarnation(), 1001u);
  EXPECT_EQ(later.journal_since(), 1000u) << "lost once, and whole since then";
}

// Rule: a new journal begins above whatever the lost one counted to, one for each start.
TEST(AgentCoreJournalLoss, ANewJournalCountsFasterThanAgentsStart) {
  const absl::Time now = absl::FromUnixSeconds(1800000000);
  AgentState state;
  BeginLife(NewIncarnation(now), true, {}, state);
  for (int restart = 1; restart <= 100; ++restart) {
    BeginLife(NewIncarnation(now), false, {}, state);
  }
  EXPECT_LT(state.incarnation, NewIncarnation(now + absl::Milliseconds(100)));
  EXPECT_LT(NewIncarnation(now), NewIncarnation(now + absl::Milliseconds(1)));
  EXPECT_EQ(NewIncarnation(absl::UnixEpoch()), 1u) << "a clock that was never set";
}

TEST(AgentCoreJournalLoss, ANewJournalIsAboveThatOfAnAgentThatCountedInSeconds) {
  const absl::Time now = absl::FromUnixSeconds(1800000000);
  const uint64_t in_seconds = 1800000000 - 1577836800;
  EXPECT_GT(NewIncarnation(now), in_seconds);
  AgentState later{.incarnation = in_seconds, .boot_id = kBoot};
  BeginLife(NewIncarnation(now), false, {}, later);
  EXPECT_EQ(later.incarnation, in_seconds + 1) << "its journal goes on";
}

TEST(AgentCoreJournalLoss, ATornJournalIsWholeOnlySinceNow) {
  AgentState state{.incarnation = 5, .boot_id = kBoot};
  BeginLife(1000, true, {}, state);
  EXPECT_EQ(state.incarnation, 6u);
  EXPECT_EQ(state.whole_since, 6u);
}

TEST(AgentCoreJournalLoss, TasksThatAreFoundAreAdoptedAndNotTakenAgain) {
  AgentState state;
  BeginLife(1000, true,
            {
                {MakeAssignment(11, 4), 20007}
  },
            state);
  state.boot_id = kBoot;
  AgentCore core(state, "node-1", kBoot);
  ASSERT_EQ(core.TasksToAdopt().size(), 1u);
  EXPECT_EQ(core.TasksToAdopt()[0].rendezvous_port, 20007);
  core.Adopt(11, v1::TASK_STATE_RUNNING, "10.0.0.1");
  EXPECT_EQ(core.MakeHello({}, kHelloSent).hello().assign_seq_max(), 4);
  core.OnMessage(HelloAck(), kHelloSent);
  EXPECT_TRUE(core.OnMessage(Assign({MakeAssignment(11, 4)}), kHelloSent).actions.empty());
}

TEST(AgentCoreJournalLoss, AStrayIsSaidToRunUntilItIsGone) {
  AgentCore core(AgentState{.incarnation = 1, .boot_id = kBoot}, "node-1", kBoot);
  const AgentOutput found = core.AdoptStray(77);
  EXPECT_TRUE(found.must_sync);
  EXPECT_EQ(found.journal.size(), 1u);
  EXPECT_TRUE(core.Knows(77));
  const v1::Hello hello = core.MakeHello({}, kHelloSent).hello();
  ASSERT_EQ(hello.tasks_size(), 1);
  EXPECT_EQ(hello.tasks(0).allocation_id(), 77u);
  EXPECT_EQ(hello.tasks(0).state(), v1::TASK_STATE_STOPPING);
  core.OnMessage(HelloAck(), kHelloSent);
  const v1::Report gone = OnlyReport(core.OnTask(TaskLost{77}, 5));
  EXPECT_EQ(gone.kind(), v1::REPORT_KIND_LOST_SHIM);
  EXPECT_EQ(gone.allocation_id(), 77u);
}

TEST(AgentCoreRestart, AnExitRecordOutlivesAReboot) {
  AgentCore core = Restarted(MakeAssignment(11, 4), "boot-2");
  core.OnTask(TaskEnded{.allocation_id = 11, .exit_code = 3}, 5);
  const v1::Hello hello = core.MakeHello({}, kHelloSent).hello();
  ASSERT_EQ(hello.reports_size(), 1);
  EXPECT_EQ(hello.reports(0).kind(), v1::REPORT_KIND_EXITED);
  EXPECT_EQ(hello.reports(0).exit_code(), 3);
}

TEST(AgentCoreRestart, RunningTaskIsAdopted) {
  AgentCore core = Restarted(MakeAssignment(11, 4), kBoot);
  ASSERT_EQ(core.TasksToAdopt().size(), 1u);
  core.Adopt(11, v1::TASK_STATE_RUNNING, "10.0.0.1");
  const v1::Hello hello = core.MakeHello({}, kHelloSent).hello();
  ASSERT_EQ(hello.tasks_size(), 1);
  EXPECT_EQ(hello.tasks(0).state(), v1::TASK_STATE_RUNNING);
  core.OnMessage(HelloAck(), kHelloSent);
  const auto leases = ActionsOf<SetLease>(core.OnMessage(
      HeartbeatAck(core.MakeHeartbeat({}, kHelloSent + kLease).heartbeat().heartbeat_seq()),
      kHelloSent + kLease));
  ASSERT_EQ(leases.size(), 1u);
  EXPECT_EQ(leases[0].deadline, kHelloSent + 2 * kLease);
}

TEST(AgentCoreRestart, PreparedMemberKeepsItsRendezvousAndCanStart) {
  AgentCore core = Restarted(GangMember(11, 4), kBoot, 20007);
  core.Adopt(11, v1::TASK_STATE_PREPARED, "10.0.0.1");
  const v1::Hello hello = core.MakeHello({}, kHelloSent).hello();
  ASSERT_EQ(hello.reports_size(), 1);
  EXPECT_EQ(hello.reports(0).rendezvous_address(), "10.0.0.1");
  EXPECT_EQ(hello.reports(0).rendezvous_port(), 20007);
  core.OnMessage(HelloAck(), kHelloSent);
  EXPECT_EQ(ActionsOf<RunTask>(core.OnMessage(Start(11), kHelloSent)).size(), 1u);
}

TEST(AgentCoreRestart, StoppingTaskStaysStopping) {
  AgentCore core = Restarted(MakeAssignment(11, 4), kBoot);
  core.Adopt(11, v1::TASK_STATE_STOPPING, "");
  EXPECT_EQ(core.MakeHello({}, kHelloSent).hello().tasks(0).state(), v1::TASK_STATE_STOPPING);
}

TEST(AgentCoreRestart, NeitherShimNorRecordIsLost) {
  AgentCore core = Restarted(MakeAssignment(11, 4), kBoot);
  core.OnTask(TaskLost{11}, 5);
  const v1::Hello hello = core.MakeHello({}, kHelloSent).hello();
  ASSERT_EQ(hello.reports_size(), 1);
  EXPECT_EQ(hello.reports(0).kind(), v1::REPORT_KIND_LOST_SHIM);
}

// ---- The table ----

TEST(TaskLifecycle, NothingLeavesAnEndButItsAcknowledgement) {
  for (int from = v1::TASK_STATE_JOURNALED; from <= v1::TASK_STATE_LOST_REBOOT; ++from) {
    for (int to = v1::TASK_STATE_JOURNALED; to <= v1::TASK_STATE_LOST_REBOOT; ++to) {
      const auto from_state = static_cast<v1::TaskState>(from);
      const auto to_state = static_cast<v1::TaskState>(to);
      if (HasEnded(from_state) && CanMove(from_state, to_state)) {
        EXPECT_EQ(to_state, v1::TASK_STATE_ACKED) << "from " << v1::TaskState_Name(from_state);
      }
      EXPECT_FALSE(from == to && CanMove(from_state, to_state));
      EXPECT_FALSE(to == v1::TASK_STATE_JOURNALED && CanMove(from_state, to_state));
    }
  }
}

}  // namespace
}  // namespace berth
