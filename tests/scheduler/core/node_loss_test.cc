// What is released and what is held when nodes are silent, dead, or not to be trusted.

#include "scheduler/core/node_loss.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "scheduler/core/invariants.h"
#include "tests/testing/ten_nodes.h"

namespace berth {
namespace {

using NodeLossTest = TenNodes;

// ---- An operator's word ----

TEST_F(NodeLossTest, ANodeThatIsHeardOfIsNotConfirmedDead) {
  const JobId job = Running({.devices = 8});
  const std::string name = NameOf(Member(job).node);
  const absl::Status status = center_.Try(ConfirmNodeDead{name, ""}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_NE(std::string(status.message()).find("is not dead"), std::string::npos) << status;
  EXPECT_EQ(center_.state(job), JobState::kRunning);
}

TEST_F(NodeLossTest, ADeadNodesJobIsQueuedAgainAtOnce) {
  const JobId job = Running({.devices = 8});
  const AllocationId held = Member(job).id;
  const NodeId node = Member(job).node;
  Disconnect(node);
  const Outcome outcome = center_.Must(ConfirmNodeDead{NameOf(node), "burnt"});
  ASSERT_EQ(outcome.released.size(), 1U);
  EXPECT_EQ(outcome.released[0].allocation, held);
  EXPECT_EQ(outcome.released[0].job, job);
  EXPECT_EQ(outcome.released[0].devices, 8);
  EXPECT_EQ(NodeAt(node).state, NodeState::kLost);
  EXPECT_EQ(NodeAt(node).state_detail, "confirmed dead by root: burnt");
  const Changes changes = center_.Commit();
  ASSERT_EQ(changes.allocations.size(), 1U);
  EXPECT_EQ(changes.allocations[0].evidence, ReleaseEvidence::kConfirmedDead);
  EXPECT_EQ(center_.state(job), JobState::kQueued);
}

// Only evidence ends the wait of a job that asked for it, and this is some.
TEST_F(NodeLossTest, AJobThatWaitsForItsNodeIsReleasedByAnOperatorsWord) {
  const JobId job = Running({.devices = 8, .on_node_loss = NodeLossPolicy::kHold});
  const NodeId node = Member(job).node;
  PassTime(Policy().lost_after + absl::Minutes(1), 1);
  ASSERT_EQ(node, nodes_[0]);
  EXPECT_EQ(NodeAt(node).state, NodeState::kLost);
  EXPECT_EQ(center_.state(job), JobState::kWaitNode);
  EXPECT_EQ(center_.Must(ConfirmNodeDead{NameOf(node), ""}).released.size(), 1U);
  center_.Commit();
  EXPECT_EQ(center_.state(job), JobState::kQueued);
}

TEST_F(NodeLossTest, OnlyAnOperatorConfirms) {
  Disconnect(nodes_[0]);
  EXPECT_EQ(center_.TryAs(center_.UserOf("acme"), ConfirmNodeDead{"n1", ""}).status().code(),
            absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(center_.Try(ConfirmNodeDead{"n99", ""}).status().code(), absl::StatusCode::kNotFound);
}

// ---- Many at once ----

TEST_F(NodeLossTest, TwoOfTenAreLost) {
  PassTime(Policy().lost_after + absl::Minutes(1), 2);
  EXPECT_EQ(NodeAt(nodes_[0]).state, NodeState::kLost);
  EXPECT_EQ(NodeAt(nodes_[1]).state, NodeState::kLost);
}

TEST_F(NodeLossTest, ThreeOfTenAreHeldUntilTheyAreBack) {
  const JobId job = Running({.devices = 8});
  PassTime(Policy().lost_after + absl::Minutes(5), 3);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(NodeAt(nodes_[i]).state, NodeState::kSuspect);
    EXPECT_TRUE(NodeAt(nodes_[i]).loss_held);
    EXPECT_NE(NodeAt(nodes_[i]).state_detail.find("held with 3 of 10 nodes"), std::string::npos);
  }
  EXPECT_EQ(center_.state(job), JobState::kRunning);
  for (int i = 0; i < 3; ++i) {
    Beat(nodes_[i]);
    EXPECT_EQ(NodeAt(nodes_[i]).state, NodeState::kReady);
    EXPECT_FALSE(NodeAt(nodes_[i]).loss_held);
  }
  EXPECT_EQ(center_.state(job), JobState::kRunning);
}

TEST_F(NodeLossTest, AnOperatorEndsTheHold) {
  const JobId job = Running({.devices = 8});
  EXPECT_EQ(center_.Try(EndLossHold{}).status().code(), absl::StatusCode::kFailedPrecondition);
  PassTime(Policy().lost_after + absl::Minutes(1), 3);
  const Outcome outcome = center_.Must(EndLossHold{});
  EXPECT_EQ(outcome.notes, (std::vector<std::string>{"n1", "n2", "n3"}));
  ASSERT_EQ(outcome.released.size(), 1U);
  center_.Commit();
  EXPECT_EQ(center_.state(job), JobState::kQueued);
  EXPECT_EQ(NodeAt(nodes_[2]).state, NodeState::kLost);
}

TEST_F(NodeLossTest, OneOfTheHeldIsConfirmedDead) {
  PassTime(Policy().lost_after + absl::Minutes(1), 4);
  center_.Must(ConfirmNodeDead{"n2", ""});
  EXPECT_EQ(NodeAt(nodes_[1]).state, NodeState::kLost);
  EXPECT_EQ(NodeAt(nodes_[0]).state, NodeState::kSuspect);
}

// ---- Quarantine ----

TEST_F(NodeLossTest, AQuarantinedNodeKeepsWhatRunsAndGetsNothingNew) {
  const JobId job = Running({.devices = 4});
  const NodeId node = Member(job).node;
  Quarantine(node);
  EXPECT_EQ(NodeAt(node).state, NodeState::kQuarantined);
  EXPECT_EQ(NodeAt(node).state_detail, "a task cannot be killed");
  EXPECT_EQ(center_.state(job), JobState::kRunning);
  EXPECT_EQ(TestCenter::Of<AckReport>(center_.TakeCommands()).back().report_seq, 7);
  const JobId all = center_.Submit({.nodes = 10, .devices = 4});
  center_.Round();
  EXPECT_EQ(center_.state(all), JobState::kQueued);
  center_.Must(UndrainNode{NameOf(node)});
  EXPECT_EQ(NodeAt(node).state, NodeState::kReady);
  center_.Round();
  EXPECT_EQ(center_.state(all), JobState::kDispatching);
}

TEST_F(NodeLossTest, AQuarantineOutlivesHellosAndRestarts) {
  Quarantine(nodes_[0]);
  center_.Hello(nodes_[0], {}, 0, true);
  EXPECT_EQ(NodeAt(nodes_[0]).state, NodeState::kQuarantined);
  center_.Restart();
  EXPECT_EQ(NodeAt(nodes_[0]).state, NodeState::kQuarantined);
  EXPECT_EQ(NodeAt(nodes_[0]).state_detail, "a task cannot be killed");
  center_.Must(UndrainNode{"n1"});
  EXPECT_EQ(NodeAt(nodes_[0]).state, NodeState::kSuspect);
  center_.Hello(nodes_[0]);
  EXPECT_EQ(NodeAt(nodes_[0]).state, NodeState::kReady);
}

// Time is no evidence that what cannot be killed is gone; a reboot is.
TEST_F(NodeLossTest, ATaskThatCannotBeKilledKeepsItsDevices) {
  const JobId job = Running({.devices = 8});
  ASSERT_EQ(Member(job).node, nodes_[0]);
  Quarantine(nodes_[0], Member(job).id);
  EXPECT_EQ(center_.state(job), JobState::kStopping);
  PassTime(Policy().lost_after + absl::Hours(1), 1);
  EXPECT_EQ(Member(job).state, AllocationState::kReleasing);
  EXPECT_EQ(NodeAt(nodes_[0]).state, NodeState::kQuarantined);
  center_.Hello(nodes_[0], {}, 0, true);
  center_.Commit();
  EXPECT_EQ(center_.state(job), JobState::kQueued);
  EXPECT_TRUE(CheckInvariants(center_.cluster()).ok());
}

TEST_F(NodeLossTest, AQuarantinedNodeThatIsSilentGivesUpWhatRan) {
  const JobId job = Running({.devices = 8});
  Quarantine(nodes_[0]);
  PassTime(Policy().lost_after + absl::Minutes(1), 1);
  center_.Commit();
  EXPECT_EQ(center_.state(job), JobState::kQueued);
  EXPECT_EQ(NodeAt(nodes_[0]).state, NodeState::kQuarantined);
}

TEST_F(NodeLossTest, AnInventoryThatChangedIsAQuarantine) {
  NodeFacts before;
  before.devices.resize(2);
  before.devices[0].uuid = "A";
  before.devices[1].index = 1;
  before.devices[1].uuid = "B";
  NodeFacts after = before;
  EXPECT_EQ(InventoryMismatch(before, after), "");
  after.devices.emplace_back().uuid = "C";
  EXPECT_EQ(InventoryMismatch(before, after), "");
  after.devices[1].uuid = "D";
  EXPECT_EQ(InventoryMismatch(before, after), "its inventory changed: device 1 (B) is gone");
  after.devices[1].uuid = "A";
  after.devices[0].uuid = "B";
  EXPECT_EQ(InventoryMismatch(before, after),
            "its inventory changed: device 0 (A) is device 1 now");
  EXPECT_EQ(InventoryMismatch(NodeFacts(), after), "");
}

}  // namespace
}  // namespace berth
