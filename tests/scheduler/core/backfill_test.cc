#include "scheduler/core/backfill.h"

#include <gtest/gtest.h>

#include "tests/testing/test_center.h"

namespace berth {
namespace {

// Two nodes of 8; everything belongs to acme, so that nothing can be recalled.
class BackfillTest : public testing::Test {
 protected:
  void SetUp() override {
    center_.AddTenant("acme");
    center_.AddTenant("beta");
    center_.AddNode("n1");
    center_.AddNode("n2");
    center_.SetQuota("acme", {.entitlement = 16});
  }
  JobId Running(const TestJob& job) { return center_.SubmitRunning(job); }
  // The second node is partly busy for two hours; a claim of 5 devices on each must wait for that.
  JobId Anchored() {
    const JobId first = Running({.devices = 5, .time_limit = absl::Hours(2)});
    Running({.devices = 5, .time_limit = absl::Hours(2)});
    center_.ExitJob(first);
    const JobId claim = center_.Submit({.nodes = 2, .devices = 5});
    center_.Round();
    return claim;
  }
  PendingReason Reason(JobId id) {
    return center_.cluster().ReasonOf(center_.cluster().GetJob(id));
  }

  TestCenter center_{TestCenter::PatientPolicy()};
};

TEST_F(BackfillTest, OnlyWhatEndsInTimePassesTheAnchor) {
  const JobId anchored = Anchored();
  ASSERT_TRUE(center_.cluster().anchors().contains(*center_.cluster().FindClass("sim")));
  const Anchor& anchor = center_.cluster().anchors().begin()->second;
  EXPECT_EQ(anchor.job, anchored);
  EXPECT_EQ(anchor.shadow, center_.now() + absl::Hours(2));
  const JobId slow = center_.Submit({.devices = 4, .time_limit = absl::Hours(3)});
  const JobId quick = center_.Submit({.devices = 4, .time_limit = absl::Hours(1)});
  center_.Round();
  EXPECT_EQ(center_.state(quick), JobState::kStarting);
  EXPECT_EQ(center_.state(slow), JobState::kQueued);
  EXPECT_EQ(Reason(slow).code, ReasonCode::kBehindAnchor);
}

TEST_F(BackfillTest, WhatTheAnchorDoesNotNeedIsFreeForLongerJobs) {
  Running({.devices = 6, .time_limit = absl::Hours(2)});
  Running({.devices = 6, .time_limit = absl::Hours(2)});
  const JobId anchored = center_.Submit({.devices = 6});
  const JobId slow = center_.Submit({.devices = 2, .time_limit = absl::Hours(9)});
  center_.Round();
  EXPECT_EQ(center_.state(anchored), JobState::kQueued);
  EXPECT_EQ(center_.state(slow), JobState::kStarting);
}

TEST_F(BackfillTest, ABorrowerThatCanBeRecalledInTimePasses) {
  const JobId anchored = Anchored();
  const JobId borrower =
      center_.Submit({.tenant = "beta", .devices = 8, .time_limit = absl::Hours(9)});
  center_.Round();
  ASSERT_EQ(center_.state(borrower), JobState::kStarting);
  center_.RunJob(borrower);
  // Five minutes of notice and the kill timeout before the shadow it is recalled.
  center_.Advance(absl::Hours(2) - absl::Minutes(5) - absl::Seconds(30));
  ASSERT_TRUE(center_.engine().PlanDue());
  center_.Round();
  EXPECT_EQ(center_.state(borrower), JobState::kStopping);
  EXPECT_TRUE(center_.cluster().nominations().contains(anchored));
}

// The time to ask comes however many rounds lie between, and by the borrower's own notice.
TEST_F(BackfillTest, ABorrowerIsRecalledInTimeAfterOtherRounds) {
  const JobId anchored = Anchored();
  const JobId borrower = center_.Submit(
      {.tenant = "beta", .devices = 8, .time_limit = absl::Hours(9), .grace = absl::Minutes(20)});
  center_.Round();
  center_.RunJob(borrower);
  const absl::Time shadow = center_.cluster().anchors().begin()->second.shadow;
  center_.Advance(absl::Minutes(30));
  center_.Round();
  EXPECT_EQ(center_.cluster().anchors().begin()->second.shadow, shadow);
  center_.Advance(shadow - center_.now() - absl::Minutes(20) - absl::Seconds(30));
  ASSERT_TRUE(center_.engine().PlanDue());
  center_.Round();
  EXPECT_EQ(center_.state(borrower), JobState::kStopping);
  ASSERT_TRUE(center_.cluster().nominations().contains(anchored));
  EXPECT_EQ(center_.cluster().open_reclaims().at(anchored).due, shadow);
}

TEST_F(BackfillTest, AnAnchorKeepsTheEntitlementOfItsTenant) {
  center_.SetQuota("acme", {.entitlement = 15});
  const JobId anchored = Anchored();
  ASSERT_EQ(center_.cluster().anchors().begin()->second.job, anchored);
  // Five of fifteen are in use and ten asked for: nothing of the tenant that outlasts the anchor
  // may start.
  const JobId slow = center_.Submit({.devices = 1, .time_limit = absl::Hours(9)});
  center_.Round();
  EXPECT_EQ(center_.state(slow), JobState::kQueued);
}

TEST_F(BackfillTest, ABorrowRequestThatHasWaitedLongIsAnchored) {
  center_.SetQuota("acme", {.entitlement = 0});
  Running({.devices = 8, .time_limit = absl::Hours(20)});
  const JobId large =
      center_.Submit({.tenant = "beta", .nodes = 2, .devices = 8, .time_limit = absl::Hours(30)});
  const JobId early = Running({.devices = 1, .time_limit = absl::Hours(30)});
  EXPECT_EQ(center_.state(early), JobState::kRunning);
  center_.Advance(center_.engine().policy().borrow_age);
  const JobId late = center_.Submit({.devices = 1, .time_limit = absl::Hours(30)});
  center_.Round();
  EXPECT_EQ(center_.cluster().anchors().begin()->second.job, large);
  EXPECT_EQ(Reason(late).code, ReasonCode::kBehindAnchor);
}

TEST(Backfill, AnAnchoredClaimMayStillStartAsABorrower) {
  TestCenter center(TestCenter::PatientPolicy());
  for (const char* tenant : {"acme", "beta"}) {
    center.AddTenant(tenant);
  }
  for (const char* node : {"n1", "n2", "n3"}) {
    center.AddNode(node);
  }
  center.SetQuota("acme", {.entitlement = 8});
  center.SetQuota("beta", {.entitlement = 16, .block_count = 2});
  center.Submit({.tenant = "beta"});
  center.Round();
  // Owned on two nodes it would break a block of beta's; borrowed on three it breaks none.
  const JobId id = center.Submit({.nodes = 3, .devices = 4, .min_nodes = 2});
  center.Round();
  EXPECT_NE(center.state(id), JobState::kQueued);
  EXPECT_EQ(center.cluster().GetJob(id).attempt.funding, Funding::kBorrowed);
}

// Owned on one node it would delay the anchor; borrowed on two it can be recalled in time.
TEST(Backfill, AnElasticGangMayBorrowWhatItMayNotOwn) {
  TestCenter center(TestCenter::PatientPolicy());
  for (const char* tenant : {"acme", "beta", "gamma"}) {
    center.AddTenant(tenant);
  }
  for (const char* node : {"n1", "n2", "n3"}) {
    center.AddNode(node);
  }
  center.SetQuota("acme", {.entitlement = 15});
  center.SetQuota("beta", {.entitlement = 5});
  center.SetQuota("gamma", {.entitlement = 4});
  const JobId other =
      center.Submit({.tenant = "gamma", .devices = 4, .time_limit = absl::Hours(2)});
  center.Round();
  center.RunJob(other);
  const JobId claim = center.Submit({.nodes = 3, .devices = 5});
  const JobId id = center.Submit(
      {.tenant = "beta", .nodes = 2, .devices = 5, .time_limit = absl::Hours(9), .min_nodes = 1});
  center.Round();
  ASSERT_EQ(center.cluster().anchors().begin()->second.job, claim);
  ASSERT_NE(center.state(id), JobState::kQueued);
  EXPECT_EQ(center.cluster().GetJob(id).attempt.funding, Funding::kBorrowed);
}

}  // namespace
}  // namespace berth
