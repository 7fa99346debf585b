#include "scheduler/core/node_protocol.h"

#include <gtest/gtest.h>

#include "tests/testing/test_center.h"

namespace berth {
namespace {

class NodeProtocolTest : public testing::Test {
 protected:
  void SetUp() override {
    center_.AddTenant("acme");
    n1_ = center_.AddNode("n1");
    n2_ = center_.AddNode("n2");
    center_.TakeCommands();
  }
  JobId Running(const TestJob& job) {
    const JobId id = center_.SubmitRunning(job);
    center_.TakeCommands();
    return id;
  }
  const Allocation& Member(JobId job, size_t rank) {
    return center_.cluster().GetAllocation(center_.GetJob(job).allocations.at(rank));
  }
  RunningTask TaskOf(const Allocation& allocation, TaskState state) {
    return {allocation.id, allocation.job, allocation.attempt, state, allocation.assign_seq};
  }
  void Heartbeat(NodeId node, std::vector<RunningTask> tasks, int64_t assign_seq_max) {
    center_.engine().Apply(AgentEvent(AgentHeartbeat{node, center_.session(node), 1, assign_seq_max,
                                                     std::move(tasks)}),
                           center_.now());
  }

  // All its nodes may be silent, and lost.
  static Policy NeverHeld() {
    Policy policy;
    policy.mass_loss_percent = 100;
    return policy;
  }

  TestCenter center_{NeverHeld()};
  NodeId n1_;
  NodeId n2_;
};

TEST_F(NodeProtocolTest, AGangStartsOnlyWhenAllArePrepared) {
  const JobId job = center_.Submit({.nodes = 2, .devices = 4});
  center_.Round();
  EXPECT_EQ(TestCenter::Of<AssignTask>(center_.TakeCommands()).size(), 2U);
  center_.Report(Member(job, 0).id, ReportKind::kPrepared);
  EXPECT_TRUE(TestCenter::Of<StartTask>(center_.TakeCommands()).empty());
  center_.Report(Member(job, 1).id, ReportKind::kPrepared);
  const auto starts = TestCenter::Of<StartTask>(center_.TakeCommands());
  ASSERT_EQ(starts.size(), 2U);
  EXPECT_EQ(starts[0].members.size(), 2U);
  EXPECT_EQ(starts[0].rendezvous_port, 20000);
  EXPECT_EQ(center_.state(job), JobState::kStarting);
}

TEST_F(NodeProtocolTest, AFailingMemberStopsTheOthersAndItsCodeIsTheJobs) {
  const JobId job = Running({.nodes = 2, .devices = 4});
  const AllocationId other = Member(job, 0).id;
  center_.Report(Member(job, 1).id, ReportKind::kExited, 7);
  const auto kills = TestCenter::Of<KillTask>(center_.TakeCommands());
  ASSERT_EQ(kills.size(), 1U);
  EXPECT_EQ(kills[0].allocation, other);
  EXPECT_EQ(kills[0].reason, StopReason::kGang);
  EXPECT_EQ(center_.state(job), JobState::kStopping);
  center_.Report(other, ReportKind::kKilled);
  center_.Commit();
  EXPECT_EQ(center_.state(job), JobState::kFailed);
  EXPECT_EQ(center_.GetJob(job).attempt.end.exit_code, 7);
  EXPECT_EQ(center_.GetJob(job).attempt.end.failed_rank, 1);
}

TEST_F(NodeProtocolTest, ACleanExitOfOneMemberLeavesTheOthersAlone) {
  const JobId job = Running({.nodes = 2, .devices = 4});
  const AllocationId second = Member(job, 1).id;
  center_.Report(Member(job, 0).id, ReportKind::kExited, 0);
  EXPECT_EQ(center_.state(job), JobState::kRunning);
  EXPECT_TRUE(TestCenter::Of<KillTask>(center_.TakeCommands()).empty());
  center_.Report(second, ReportKind::kExited, 0);
  center_.Commit();
  EXPECT_EQ(center_.state(job), JobState::kSucceeded);
}

TEST_F(NodeProtocolTest, AKillIsNoRelease) {
  const JobId job = Running({.devices = 8});
  center_.Must(CancelJob{job, "", false});
  EXPECT_EQ(center_.state(job), JobState::kStopping);
  const JobId next = center_.Submit({.nodes = 2, .devices = 8});
  center_.Round();
  EXPECT_EQ(center_.state(next), JobState::kQueued);
  center_.Report(Member(job, 0).id, ReportKind::kKilled);
  center_.Round();
  EXPECT_EQ(center_.state(next), JobState::kDispatching);
}

TEST_F(NodeProtocolTest, AnUndeliveredAssignmentIsSentAgainWithTheSameNumber) {
  const JobId job = center_.Submit({.devices = 8});
  center_.Round();
  const auto first = TestCenter::Of<AssignTask>(center_.TakeCommands());
  ASSERT_EQ(first.size(), 1U);
  center_.Hello(Member(job, 0).node, {}, first[0].allocation.assign_seq - 1);
  const auto again = TestCenter::Of<AssignTask>(center_.TakeCommands());
  ASSERT_EQ(again.size(), 1U);
  EXPECT_EQ(again[0].allocation.assign_seq, first[0].allocation.assign_seq);
}

// It may have run: the journal that would tell is gone.
TEST_F(NodeProtocolTest, WhatWasSentBeforeAJournalWasLostIsNotSentAgain) {
  const JobId job = center_.Submit({.devices = 8});
  center_.Round();
  const AllocationId sent = Member(job, 0).id;
  const NodeId node = Member(job, 0).node;
  center_.TakeCommands();
  center_.NextLife(node, true);
  center_.Hello(node);
  EXPECT_TRUE(TestCenter::Of<AssignTask>(center_.TakeCommands()).empty());
  const Allocation* released = center_.cluster().FindAllocation(sent);
  EXPECT_TRUE(released == nullptr || released->state == AllocationState::kReleased);
  EXPECT_EQ(center_.state(job), JobState::kQueued);
  EXPECT_EQ(center_.GetJob(job).attempt.end.reason, EndReason::kNodeFault);
  EXPECT_NE(center_.GetJob(job).attempt.end.message.find("lost its journal"), std::string::npos)
      << center_.GetJob(job).attempt.end.message;
}

// The loss counts once: what is sent after that hello and not delivered is sent again.
TEST_F(NodeProtocolTest, WhatIsSentAfterAJournalWasLostIsSentAgain) {
  for (const NodeId node : {n1_, n2_}) {
    center_.NextLife(node, true);
    center_.Hello(node);
  }
  const JobId job = center_.Submit({.devices = 8});
  center_.Round();
  center_.TakeCommands();
  center_.Hello(Member(job, 0).node);
  EXPECT_EQ(TestCenter::Of<AssignTask>(center_.TakeCommands()).size(), 1U);
}

// What a lost journal left running keeps its devices until the agent says that it is gone.
TEST_F(NodeProtocolTest, AStrayKeepsItsRowUntilItIsReported) {
  const JobId job = Running({.devices = 8});
  const Allocation member = Member(job, 0);
  center_.NextLife(member.node, true);
  center_.Hello(member.node, {TaskOf(member, TaskState::kStopping)});
  EXPECT_EQ(center_.state(job), JobState::kRunning);
  center_.Report(member.id, ReportKind::kLostShim);
  EXPECT_EQ(center_.state(job), JobState::kQueued);
}

// No journal that is whole forgets what it had accepted.
TEST_F(NodeProtocolTest, WhatWasSeenRunningIsNotSentAgain) {
  const JobId job = Running({.devices = 8});
  const Allocation member = Member(job, 0);
  center_.Hello(member.node, {}, member.assign_seq - 1);
  EXPECT_EQ(center_.state(job), JobState::kRunning) << "it may be a late one of the same life";
  center_.TakeCommands();
  center_.NextLife(member.node, false);
  center_.Hello(member.node, {}, member.assign_seq - 1);
  EXPECT_TRUE(TestCenter::Of<AssignTask>(center_.TakeCommands()).empty());
  EXPECT_EQ(center_.state(job), JobState::kQueued);
}

TEST_F(NodeProtocolTest, AHeartbeatThatCrossedTheAssignmentChangesNothing) {
  const JobId job = center_.Submit({.devices = 8});
  center_.Round();
  center_.TakeCommands();
  Heartbeat(Member(job, 0).node, {}, 0);
  EXPECT_TRUE(TestCenter::Of<AssignTask>(center_.TakeCommands()).empty());
  EXPECT_EQ(center_.state(job), JobState::kStarting);
}

TEST_F(NodeProtocolTest, WhatRanAndVanishedIsRequeuedAsANodeFault) {
  const JobId job = Running({.devices = 8});
  const Allocation member = Member(job, 0);
  Heartbeat(member.node, {}, member.assign_seq);
  center_.Commit();
  EXPECT_EQ(center_.state(job), JobState::kQueued);
  EXPECT_EQ(center_.GetJob(job).attempt.end.reason, EndReason::kNodeFault);
  center_.Advance(absl::Seconds(2));
  center_.Round();
  EXPECT_EQ(center_.GetJob(job).attempt.number, 1);
}

TEST_F(NodeProtocolTest, AnInteractiveJobThatNobodyUsedIsOverForGood) {
  const JobId job = Running({.devices = 1});
  const Allocation member = Member(job, 0);
  TaskReport report;
  report.kind = ReportKind::kKilled;
  report.allocation = member.id;
  report.job = job;
  report.stop_reason = StopReason::kIdle;
  center_.engine().Apply(AgentEvent(AgentReport{member.node, center_.session(member.node), report}),
                         center_.now());
  EXPECT_EQ(center_.state(job), JobState::kTimedOut);
  EXPECT_EQ(center_.GetJob(job).attempt.end.reason, EndReason::kIdle);
}

TEST_F(NodeProtocolTest, ARunningTaskWithoutARowIsKilled) {
  Heartbeat(n1_,
            {
                {AllocationId(999), JobId(99), 0, TaskState::kRunning, 1}
  },
            1);
  const auto kills = TestCenter::Of<KillTask>(center_.TakeCommands());
  ASSERT_EQ(kills.size(), 1U);
  EXPECT_EQ(kills[0].reason, StopReason::kStale);
}

TEST_F(NodeProtocolTest, ARebootReleasesEverythingOnTheNode) {
  const JobId job = Running({.nodes = 2, .devices = 8});
  const Allocation first = Member(job, 0);
  const Allocation second = Member(job, 1);
  center_.Hello(first.node, {}, first.assign_seq, true);
  EXPECT_EQ(center_.state(job), JobState::kStopping);
  const auto kills = TestCenter::Of<KillTask>(center_.TakeCommands());
  ASSERT_EQ(kills.size(), 1U);
  EXPECT_EQ(kills[0].allocation, second.id);
}

TEST_F(NodeProtocolTest, ASilentNodeIsSuspectThenLostAndNothingIsReleasedBefore) {
  const JobId job = Running({.devices = 8});
  const NodeId node = Member(job, 0).node;
  center_.Advance(absl::Seconds(31));
  EXPECT_EQ(center_.cluster().GetNode(node).state, NodeState::kSuspect);
  center_.Advance(absl::Minutes(31));
  EXPECT_EQ(center_.state(job), JobState::kRunning);
  center_.Advance(absl::Minutes(2));
  EXPECT_EQ(center_.cluster().GetNode(node).state, NodeState::kLost);
  center_.Commit();
  EXPECT_EQ(center_.state(job), JobState::kQueued);
}

TEST_F(NodeProtocolTest, AJobThatHoldsWaitsForItsNodeWithoutEnd) {
  const JobId job = Running({.devices = 8, .on_node_loss = NodeLossPolicy::kHold});
  const Allocation member = Member(job, 0);
  center_.Advance(absl::Seconds(31));
  center_.Advance(absl::Minutes(40));
  EXPECT_EQ(center_.state(job), JobState::kWaitNode);
  center_.Hello(member.node, {TaskOf(member, TaskState::kRunning)}, member.assign_seq);
  EXPECT_EQ(center_.state(job), JobState::kRunning);
}

TEST_F(NodeProtocolTest, ANodeCannotSpeakForAnothersMember) {
  const JobId job = Running({.devices = 8});
  const Allocation member = Member(job, 0);
  const NodeId other = member.node == n1_ ? n2_ : n1_;
  TaskReport report;
  report.kind = ReportKind::kExited;
  report.allocation = member.id;
  center_.engine().Apply(AgentEvent(AgentReport{other, center_.session(other), report}),
                         center_.now());
  EXPECT_EQ(center_.state(job), JobState::kRunning);
}

TEST_F(NodeProtocolTest, AnOldSessionIsIgnored) {
  const JobId job = Running({.devices = 8});
  const Allocation member = Member(job, 0);
  const SessionId old = center_.session(member.node);
  center_.Hello(member.node, {TaskOf(member, TaskState::kRunning)}, member.assign_seq);
  TaskReport report;
  report.kind = ReportKind::kExited;
  report.allocation = member.id;
  center_.engine().Apply(AgentEvent(AgentReport{member.node, old, report}), center_.now());
  EXPECT_EQ(center_.state(job), JobState::kRunning);
}

// Of two boots the later one's hello may be the first to arrive.
TEST_F(NodeProtocolTest, TheHelloOfAnEarlierLifeOfTheAgentIsIgnored) {
  AgentHello hello;
  hello.node = n1_;
  hello.incarnation = 2;
  hello.boot_id = "late";
  hello.session = SessionId(100);
  hello.facts.devices.resize(8);
  for (int i = 0; i < 8; ++i) {
    hello.facts.devices[static_cast<size_t>(i)].device.index = i;
    hello.facts.devices[static_cast<size_t>(i)].device_class = "sim";
  }
  center_.engine().Apply(AgentEvent(hello), center_.now());
  AgentHello earlier = hello;
  earlier.incarnation = 1;
  earlier.boot_id = "early";
  earlier.session = SessionId(101);
  EXPECT_TRUE(IsOutdated(center_.cluster(), earlier));
  center_.engine().Apply(AgentEvent(earlier), center_.now());
  EXPECT_EQ(center_.cluster().GetNode(n1_).boot_id, "late");
  EXPECT_EQ(center_.cluster().GetNode(n1_).session, SessionId(100));
  EXPECT_FALSE(IsOutdated(center_.cluster(), hello)) << "the same life may come again";
}

TEST_F(NodeProtocolTest, CancelBeforeTheStartReleasesWhenTheAgentSaysItNeverRan) {
  const JobId job = center_.Submit({.nodes = 2, .devices = 8});
  center_.Round();
  const AllocationId first = Member(job, 0).id;
  const AllocationId second = Member(job, 1).id;
  center_.Must(CancelJob{job, "", false});
  center_.Report(first, ReportKind::kNeverRan);
  EXPECT_EQ(center_.state(job), JobState::kStopping);
  center_.Report(second, ReportKind::kNeverRan);
  center_.Commit();
  EXPECT_EQ(center_.state(job), JobState::kCancelled);
}

TEST_F(NodeProtocolTest, AGangThatIsNotPreparedInTimeNamesTheNode) {
  TestJob spec{.nodes = 2, .devices = 8};
  spec.requeue.on_node_fault = false;
  const JobId job = center_.Submit(spec);
  center_.Round();
  const Allocation late = Member(job, 1);
  center_.Report(Member(job, 0).id, ReportKind::kPrepared);
  for (int i = 0; i < 130; ++i) {
    center_.Advance(absl::Seconds(5));
    Heartbeat(n1_, {}, 0);
    Heartbeat(n2_, {}, 0);
  }
  EXPECT_EQ(center_.state(job), JobState::kStopping);
  EXPECT_EQ(center_.GetJob(job).attempt.end.reason, EndReason::kPrepareTimeout);
  EXPECT_NE(center_.GetJob(job).attempt.end.message.find(center_.cluster().GetNode(late.node).name),
            std::string::npos);
}

TEST_F(NodeProtocolTest, ARequeueStopsAtItsBound) {
  TestJob spec{.devices = 8};
  spec.requeue.on_error = true;
  spec.requeue.max_requeues = 2;
  const JobId job = center_.Submit(spec);
  for (int attempt = 0; attempt < 3; ++attempt) {
    center_.Advance(absl::Minutes(2));
    center_.Hello(n1_);
    center_.Hello(n2_);
    center_.Round();
    ASSERT_EQ(center_.GetJob(job).attempt.number, attempt);
    center_.RunJob(job);
    center_.ExitJob(job, 3);
  }
  EXPECT_EQ(center_.state(job), JobState::kFailed);
}

TEST_F(NodeProtocolTest, ADrainingNodeIsDrainedWhenItsLastTaskEnds) {
  const JobId job = Running({.devices = 8});
  const NodeId node = Member(job, 0).node;
  const Outcome outcome = center_.Must(DrainNode{center_.cluster().GetNode(node).name, "repair"});
  EXPECT_EQ(outcome.jobs, std::vector<JobId>{job});
  EXPECT_EQ(center_.cluster().GetNode(node).state, NodeState::kDraining);
  center_.ExitJob(job);
  EXPECT_EQ(center_.cluster().GetNode(node).state, NodeState::kDrained);
}

TEST_F(NodeProtocolTest, AReasonOfADrainStaysUntilThereIsAnother) {
  const NodeId node = center_.cluster().FindNodeByName("n1")->id;
  const auto reason = [&] { return center_.cluster().GetNode(node).state_detail; };
  center_.Must(DrainNode{"n1", "fan"});
  center_.Must(DrainNode{"n1", ""});
  EXPECT_EQ(reason(), "fan");
  center_.Must(DrainNode{"n1", "fan and disk"});
  EXPECT_EQ(reason(), "fan and disk");
  center_.Must(UndrainNode{"n1"});
  center_.Must(DrainNode{"n1", ""});
  EXPECT_EQ(reason(), "");
}

}  // namespace
}  // namespace berth
