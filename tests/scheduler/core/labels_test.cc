// Who holds which part of an entitlement when a job of the same tenant must own what it has.

#include <gtest/gtest.h>

#include "scheduler/core/invariants.h"
#include "tests/testing/test_center.h"

namespace berth {
namespace {

// Three nodes of 8; acme owns 8 of the 24.
class LabelsTest : public testing::Test {
 protected:
  void SetUp() override {
    center_.AddTenant("acme");
    for (const char* node : {"n1", "n2", "n3"}) {
      center_.AddNode(node);
    }
    center_.SetQuota("acme", {.entitlement = 8});
  }
  void TearDown() override {
    const absl::Status status = CheckInvariants(center_.cluster());
    EXPECT_TRUE(status.ok()) << status;
  }
  JobId Running(const TestJob& job) { return center_.SubmitRunning(job); }
  Funding LabelOf(JobId id) { return center_.GetJob(id).attempt.funding; }
  Blocker BlockerOf(JobId id) {
    return center_.cluster().GetGroup(center_.GetJob(id).group).blocker;
  }

  TestCenter center_;
};

TEST_F(LabelsTest, AHigherPriorityThatMustNotBorrowTakesALabelAndStopsNobody) {
  const JobId low = Running({.devices = 8});
  ASSERT_EQ(LabelOf(low), Funding::kOwned);
  const JobId high = Running({.devices = 4, .priority = 5, .may_borrow = false});
  EXPECT_EQ(center_.state(high), JobState::kRunning);
  EXPECT_EQ(LabelOf(high), Funding::kOwned);
  EXPECT_EQ(center_.state(low), JobState::kRunning);
  EXPECT_EQ(LabelOf(low), Funding::kBorrowed);
  // It gets it back.
  center_.ExitJob(high);
  EXPECT_EQ(LabelOf(low), Funding::kOwned);
}

TEST_F(LabelsTest, SoDoesOneThatMayNotBeStopped) {
  const JobId low = Running({.devices = 8});
  const JobId high = Running({.devices = 4, .priority = 5, .preemptible = false});
  EXPECT_EQ(LabelOf(high), Funding::kOwned);
  EXPECT_EQ(center_.state(low), JobState::kRunning);
  EXPECT_EQ(LabelOf(low), Funding::kBorrowed);
}

// It was considered first, as one that may have any class.
TEST_F(LabelsTest, OneThatStartsInTheSameRoundYieldsItsLabelInTheNext) {
  const JobId low = center_.Submit({.devices = 8, .classes = {}});
  const JobId high = center_.Submit({.devices = 4, .priority = 5, .may_borrow = false});
  center_.Round();
  ASSERT_EQ(center_.state(low), JobState::kStarting);
  ASSERT_EQ(center_.state(high), JobState::kQueued);
  ASSERT_TRUE(center_.engine().PlanDue());
  center_.Round();
  EXPECT_EQ(center_.state(high), JobState::kStarting);
  EXPECT_EQ(LabelOf(low), Funding::kBorrowed);
}

TEST_F(LabelsTest, AnEqualPriorityKeepsItsLabel) {
  const JobId low = Running({.devices = 8});
  const JobId equal = center_.Submit({.devices = 4, .may_borrow = false});
  center_.Round();
  EXPECT_EQ(center_.state(equal), JobState::kQueued);
  EXPECT_EQ(BlockerOf(equal).code, ReasonCode::kBorrowing);
  EXPECT_EQ(BlockerOf(equal).have, 8);
  EXPECT_EQ(LabelOf(low), Funding::kOwned);
}

TEST_F(LabelsTest, WhatMustNotBorrowKeepsItsLabel) {
  const JobId low = Running({.devices = 8, .may_borrow = false});
  const JobId high = center_.Submit({.devices = 4, .priority = 5, .may_borrow = false});
  center_.Round();
  EXPECT_EQ(center_.state(high), JobState::kQueued);
  EXPECT_EQ(center_.state(low), JobState::kRunning);
  EXPECT_EQ(LabelOf(low), Funding::kOwned);
}

TEST_F(LabelsTest, WhatIsTakenInExcessGoesToAnother) {
  const JobId large = Running({.devices = 8});
  const JobId small = Running({.devices = 4});
  ASSERT_EQ(LabelOf(small), Funding::kBorrowed);
  const JobId high = Running({.devices = 4, .priority = 5, .may_borrow = false});
  EXPECT_EQ(LabelOf(high), Funding::kOwned);
  EXPECT_EQ(LabelOf(large), Funding::kBorrowed);
  EXPECT_EQ(LabelOf(small), Funding::kOwned);
}

// However much of it is borrowed: nobody is stopped for a label.
TEST_F(LabelsTest, NobodyIsStoppedForALabel) {
  const JobId owned = Running({.devices = 8});
  const JobId borrowed = Running({.devices = 8});
  const JobId more = Running({.devices = 4});
  const JobId high = Running({.devices = 2, .priority = 5, .may_borrow = false});
  EXPECT_EQ(center_.state(high), JobState::kRunning);
  for (const JobId id : {owned, borrowed, more}) {
    EXPECT_EQ(center_.state(id), JobState::kRunning);
  }
}

TEST_F(LabelsTest, AHigherPriorityBorrowsWhatIsFreeBeforeItStopsItsOwn) {
  const JobId low = Running({.devices = 8});
  const JobId high = Running({.devices = 8, .priority = 5});
  EXPECT_EQ(center_.state(high), JobState::kRunning);
  EXPECT_EQ(center_.state(low), JobState::kRunning);
  const JobId last = Running({.devices = 8, .priority = 5});
  EXPECT_EQ(center_.state(last), JobState::kRunning);
  // Now nothing is free.
  const JobId first = center_.Submit({.devices = 8, .priority = 5});
  center_.Round();
  EXPECT_EQ(center_.state(first), JobState::kQueued);
  EXPECT_EQ(center_.state(low), JobState::kStopping);
}

}  // namespace
}  // namespace berth
