#include "scheduler/core/lifecycle.h"

#include <gtest/gtest.h>

namespace berth {
namespace {

TEST(Lifecycle, EveryNameFindsItsState) {
  for (int i = 0; i <= static_cast<int>(JobState::kDependencyFailed); ++i) {
    const auto state = static_cast<JobState>(i);
    EXPECT_EQ(FindJobState(Name(state)), state);
  }
  for (int i = 0; i <= static_cast<int>(AllocationState::kReleased); ++i) {
    const auto state = static_cast<AllocationState>(i);
    EXPECT_EQ(FindAllocationState(Name(state)), state);
  }
  for (int i = 0; i <= static_cast<int>(NodeState::kRemoved); ++i) {
    const auto state = static_cast<NodeState>(i);
    EXPECT_EQ(FindNodeState(Name(state)), state);
  }
  EXPECT_FALSE(FindJobState("running ").has_value());
}

TEST(Lifecycle, TerminalStatesHaveNoWayOut) {
  for (const JobState state : {JobState::kSucceeded, JobState::kFailed, JobState::kCancelled,
                               JobState::kTimedOut, JobState::kDependencyFailed}) {
    EXPECT_TRUE(IsTerminal(state));
    for (int i = 0; i <= static_cast<int>(JobState::kDependencyFailed); ++i) {
      EXPECT_FALSE(CanMove(state, static_cast<JobState>(i)));
    }
  }
}

TEST(Lifecycle, AJobHoldingDevicesEndsThroughStoppingOnly) {
  for (const JobState from : {JobState::kDispatching, JobState::kStarting, JobState::kRunning}) {
    EXPECT_TRUE(CanMove(from, JobState::kStopping));
    EXPECT_FALSE(CanMove(from, JobState::kSucceeded));
    EXPECT_FALSE(CanMove(from, JobState::kQueued));
  }
}

TEST(LifecycleDeathTest, AForbiddenMoveEndsTheProcess) {
  JobState state = JobState::kSucceeded;
  EXPECT_DEATH(Move(state, JobState::kQueued), "check failed");
}

}  // namespace
}  // namespace berth
