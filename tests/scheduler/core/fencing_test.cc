// Which silent nodes are switched off by the center's fence command, and what that releases.

#include "scheduler/core/fencing.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/testing/ten_nodes.h"

namespace berth {
namespace {

class FencingTest : public TenNodes {
 protected:
  static Policy WithFence() {
    Policy policy;
    policy.fence_after = absl::Minutes(2);
    return policy;
  }
  // As PassTime, with looks in between. Returns: the nodes that were ordered to be fenced.
  std::vector<std::string> Watch(absl::Duration duration, int silent) {
    std::vector<std::string> ordered;
    const absl::Time end = center_.now() + duration;
    while (center_.now() < end) {
      PassTime(absl::Seconds(10), silent);
      for (const FenceOrder& order : fencing_.Look(center_.cluster(), policy_, center_.now())) {
        ordered.push_back(order.name);
      }
    }
    return ordered;
  }
  NoteFence FenceOf(NodeId node, const std::string& failure = "") {
    return {node, NodeAt(node).silent_since, failure};
  }

  const Policy policy_ = WithFence();
  Fencing fencing_;
};

using Names = std::vector<std::string>;

TEST_F(FencingTest, ASilentNodeThatHoldsSomethingIsFencedOnce) {
  Running({.devices = 8});
  EXPECT_EQ(Watch(absl::Minutes(1), 2), Names());
  EXPECT_EQ(Watch(absl::Minutes(5), 2), Names{"n1"});
}

TEST_F(FencingTest, ASchedulerThatStoodStillHearsFirst) {
  Running({.devices = 8});
  EXPECT_EQ(Watch(absl::Minutes(1), 0), Names());
  center_.Advance(absl::Hours(1));  // nobody is heard, and nobody looks
  EXPECT_EQ(fencing_.Look(center_.cluster(), policy_, center_.now()).size(), 0U);
  EXPECT_EQ(Watch(absl::Minutes(5), 0), Names());
}

// It is the network that is broken, and switching it all off would kill what runs well.
TEST_F(FencingTest, ManySilentNodesAreNotFenced) {
  Running({.devices = 8});
  EXPECT_EQ(Watch(absl::Minutes(10), 5), Names());
}

TEST_F(FencingTest, AFenceThatFailsIsTriedAgainLaterAndLater) {
  Running({.devices = 8});
  ASSERT_EQ(Watch(absl::Minutes(3), 1), Names{"n1"});
  fencing_.Ended(nodes_[0], false, center_.now());
  EXPECT_EQ(Watch(absl::Seconds(50), 1), Names());
  ASSERT_EQ(Watch(absl::Seconds(20), 1), Names{"n1"});
  fencing_.Ended(nodes_[0], false, center_.now());
  EXPECT_EQ(Watch(absl::Seconds(110), 1), Names());
  EXPECT_EQ(Watch(absl::Seconds(20), 1), Names{"n1"});
}

TEST_F(FencingTest, WithoutACommandNobodyLooks) {
  EXPECT_EQ(Fencing().NextLook(Policy()), absl::InfiniteFuture());
  Running({.devices = 8});
  PassTime(absl::Minutes(10), 1);
  EXPECT_TRUE(Fencing().Look(center_.cluster(), Policy(), center_.now()).empty());
}

TEST_F(FencingTest, AFenceReleasesWhatTheNodeHeld) {
  const JobId job = Running({.devices = 8, .on_node_loss = NodeLossPolicy::kHold});
  PassTime(absl::Minutes(5), 1);
  const Outcome outcome = center_.Must(FenceOf(nodes_[0]));
  ASSERT_EQ(outcome.released.size(), 1U);
  EXPECT_EQ(outcome.released[0].job, job);
  const Changes changes = center_.Commit();
  ASSERT_EQ(changes.allocations.size(), 1U);
  EXPECT_EQ(changes.allocations[0].evidence, ReleaseEvidence::kFenced);
  EXPECT_EQ(center_.state(job), JobState::kQueued);
  EXPECT_EQ(NodeAt(nodes_[0]).state, NodeState::kLost);
}

TEST_F(FencingTest, AFenceOfANodeThatSpokeMeanwhileIsNone) {
  const JobId job = Running({.devices = 8});
  PassTime(absl::Minutes(5), 1);
  const NoteFence fence = FenceOf(nodes_[0]);
  Beat(nodes_[0]);
  EXPECT_EQ(center_.Try(fence).status().code(), absl::StatusCode::kFailedPrecondition);
  // Silent again: that fence is still of the silence before.
  PassTime(absl::Minutes(5), 1);
  EXPECT_EQ(center_.Try(fence).status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(center_.state(job), JobState::kRunning);
}

TEST_F(FencingTest, AFailureIsShownAndReleasesNothing) {
  const JobId job = Running({.devices = 8});
  PassTime(absl::Minutes(5), 1);
  EXPECT_TRUE(center_.Must(FenceOf(nodes_[0], "exit code 3")).released.empty());
  EXPECT_EQ(NodeAt(nodes_[0]).state, NodeState::kSuspect);
  EXPECT_EQ(NodeAt(nodes_[0]).state_detail,
            "its agent is silent, and the fence command failed: exit code 3");
  EXPECT_EQ(center_.state(job), JobState::kRunning);
}

TEST_F(FencingTest, OnlyOperatorsSayThatANodeIsFenced) {
  PassTime(absl::Minutes(5), 1);
  EXPECT_EQ(center_.TryAs(center_.UserOf("acme"), FenceOf(nodes_[0])).status().code(),
            absl::StatusCode::kPermissionDenied);
}

}  // namespace
}  // namespace berth
