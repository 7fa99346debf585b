// When the job that nothing may delay can start, and who may not pass it.

#include <gtest/gtest.h>

#include "tests/testing/test_center.h"

namespace berth {
namespace {

class AnchorTest : public testing::Test {
 protected:
  static Policy WithMinRun(absl::Duration min_run) {
    Policy policy = TestCenter::PatientPolicy();
    policy.reclaim_min_run = min_run;
    return policy;
  }

  void SetUp() override { AddTenants(center_); }
  static void AddTenants(TestCenter& center) {
    for (const char* tenant : {"acme", "beta", "gamma"}) {
      center.AddTenant(tenant);
    }
  }
  JobId Running(const TestJob& job) { return RunningIn(center_, job); }
  static JobId RunningIn(TestCenter& center, const TestJob& job) {
    const JobId id = center.Submit(job);
    center.Round();
    center.RunJob(id);
    return id;
  }
  // A borrow request that has waited for long.
  JobId Aged(const TestJob& job) {
    const JobId id = center_.Submit(job);
    center_.Advance(center_.engine().policy().borrow_age);
    center_.Round();
    return id;
  }
  // An owned claim of 5 in four minutes, and a borrower of 4 who needs an hour to stop.
  void AnchorBesideASlowBorrower() {
    center_.AddNode("n1", 6);
    center_.AddNode("n2", 6);
    center_.SetQuota("acme", {.entitlement = 9});
    Running({.nodes = 2, .devices = 2, .preemptible = false, .time_limit = absl::Minutes(4)});
    Running(
        {.tenant = "beta", .devices = 4, .time_limit = absl::Hours(9), .grace = absl::Hours(1)});
    const JobId claim = center_.Submit({.devices = 5});
    center_.Round();
    ASSERT_EQ(TheAnchor().job, claim);
  }
  const Anchor& TheAnchor() { return center_.cluster().anchors().begin()->second; }

  TestCenter center_{TestCenter::PatientPolicy()};
};

// A job queues by the first class that it names, and may be anchored in another.
TEST_F(AnchorTest, OfAnotherQueueIsPassedByNobodyEither) {
  center_.AddNode("n1", 8, "sim");
  center_.AddNode("n2", 1, "other");
  Running({.devices = 6, .time_limit = absl::Hours(4)});
  const JobId anchored = Aged({
      .tenant = "beta", .devices = 8, .classes = {"other", "sim"}
  });
  ASSERT_EQ(TheAnchor().job, anchored);
  const JobId slow = center_.Submit({.devices = 2, .time_limit = absl::Hours(9)});
  center_.Round();
  EXPECT_EQ(center_.state(slow), JobState::kQueued);
}

// The first of two that ask for the same is busy in one class, and too slow for the anchor of the
// other: that is not told to the second, which is over before the anchor starts.
TEST_F(AnchorTest, IsPassedByTheQuickerOfTwoAlikeInTheirSecondClass) {
  center_.AddNode("n1", 8, "sim");
  center_.AddNode("n2", 8, "other");
  Running({.devices = 8, .time_limit = absl::Hours(9)});
  Running({.devices = 6, .classes = {"other"}, .time_limit = absl::Hours(4)});
  const JobId anchored = Aged({.tenant = "beta", .devices = 8, .classes = {"other"}});
  ASSERT_EQ(TheAnchor().job, anchored);
  const std::vector<std::string> both = {"sim", "other"};
  const JobId slow = center_.Submit({.devices = 2, .classes = both, .time_limit = absl::Hours(9)});
  const JobId quick =
      center_.Submit({.devices = 2, .classes = both, .time_limit = absl::Minutes(30)});
  center_.Round();
  EXPECT_EQ(center_.state(slow), JobState::kQueued);
  EXPECT_EQ(center_.state(quick), JobState::kStarting);
}

// The places that suit it best are those of the anchor; others do as well.
TEST_F(AnchorTest, IsPassedInOtherPlacesThanItsOwn) {
  center_.AddNode("n1", 8);
  center_.AddNode("n2", 8);
  Running({.devices = 6, .time_limit = absl::Hours(4)});
  Running({.devices = 4, .time_limit = absl::Hours(9)});
  const JobId anchored = Aged({.tenant = "beta", .devices = 8});
  ASSERT_EQ(TheAnchor().job, anchored);
  const absl::Time shadow = TheAnchor().shadow;
  const JobId slow = Running({.devices = 2, .time_limit = absl::Hours(9)});
  EXPECT_EQ(center_.state(slow), JobState::kRunning);
  center_.Round();
  EXPECT_EQ(TheAnchor().shadow, shadow);
}

// What an owner never lends is not free for a borrower when the owner's own work ends.
TEST_F(AnchorTest, StartsNotBeforeTheOwnersKeepWhatIsNeverLent) {
  center_.AddNode("n1");
  center_.SetQuota("acme", {.entitlement = 4, .non_lendable = 4});
  Running({.devices = 4, .time_limit = absl::Hours(2)});
  Running({.tenant = "beta", .devices = 4, .time_limit = absl::Hours(5)});
  const absl::Time end = center_.now() + absl::Hours(5);
  const JobId anchored = Aged({.tenant = "gamma", .devices = 4});
  ASSERT_EQ(TheAnchor().job, anchored);
  EXPECT_EQ(TheAnchor().shadow, end);
}

TEST_F(AnchorTest, IsPassedByNobodyWhoLeavesTooLittleToLend) {
  center_.AddNode("n1");
  center_.SetQuota("acme", {.entitlement = 2, .non_lendable = 2});
  Running({.tenant = "beta", .devices = 4, .time_limit = absl::Hours(5)});
  const JobId anchored = Aged({.tenant = "gamma", .devices = 5, .time_limit = absl::Hours(9)});
  ASSERT_EQ(TheAnchor().job, anchored);
  // Beside the five of the anchor two are acme's: one is left.
  const JobId two = center_.Submit({.tenant = "beta", .devices = 2, .time_limit = absl::Hours(9)});
  const JobId one = center_.Submit({.tenant = "beta", .time_limit = absl::Hours(9)});
  center_.Round();
  EXPECT_EQ(center_.state(two), JobState::kQueued);
  EXPECT_EQ(center_.state(one), JobState::kStarting);
}

// All that a claim needs is asked for at once, and so not before the last of it may be.
TEST_F(AnchorTest, CountsOnWhatIsLentFromWhenAllOfItMayBeAskedFor) {
  TestCenter center(WithMinRun(absl::Minutes(2)));
  AddTenants(center);
  center.AddNode("n1");
  center.SetQuota("acme", {.entitlement = 8});
  RunningIn(center, {.tenant = "beta", .devices = 4, .grace = absl::Minutes(5)});
  center.Advance(absl::Minutes(1));
  RunningIn(center, {.tenant = "gamma", .devices = 4, .grace = absl::Seconds(10)});
  const JobId claim = center.Submit({.devices = 8});
  center.Round();
  const absl::Time due = center.now() + absl::Minutes(2 + 5) + absl::Seconds(30);
  ASSERT_EQ(center.cluster().anchors().begin()->second.job, claim);
  EXPECT_EQ(center.cluster().anchors().begin()->second.shadow, due);
  center.Advance(absl::Minutes(2));
  ASSERT_TRUE(center.engine().PlanDue());
  center.Round();
  EXPECT_EQ(center.cluster().open_reclaims().at(claim).due, due);
}

// Of two that could be asked the better victim needs longer to stop than the anchor waits.
TEST_F(AnchorTest, AsksForWhatIsBackInTime) {
  center_.AddNode("n1", 7);
  center_.AddNode("n2", 1);
  center_.SetQuota("acme", {.entitlement = 8});
  Running({.devices = 3, .time_limit = absl::Minutes(10)});
  const absl::Time end = center_.now() + absl::Minutes(10);
  const TestJob borrower{.tenant = "beta", .devices = 2, .time_limit = absl::Hours(9)};
  TestJob quick = borrower;
  quick.grace = absl::Minutes(5);
  const JobId asked = Running(quick);
  center_.Advance(absl::Minutes(1));
  TestJob slow = borrower;
  slow.grace = absl::Hours(1);
  Running(slow);
  const JobId claim = center_.Submit({.devices = 5});
  center_.Round();
  ASSERT_EQ(TheAnchor().job, claim);
  EXPECT_EQ(TheAnchor().shadow, end);
  ASSERT_FALSE(center_.cluster().open_reclaims().contains(claim));
  center_.Advance(end - center_.now() - absl::Minutes(5) - absl::Seconds(30));
  ASSERT_TRUE(center_.engine().PlanDue());
  center_.Round();
  EXPECT_EQ(center_.cluster().open_reclaims().at(claim).due, end);
  EXPECT_EQ(center_.state(asked), JobState::kStopping);
}

// What it kept is for others then.
TEST_F(AnchorTest, OfOneThatStartsInAnotherClassIsGoneInTheNextRound) {
  center_.AddNode("n1", 4, "sim");
  center_.AddNode("n2", 4, "sim");
  center_.AddNode("n3", 4, "other");
  center_.SetQuota("acme", {.entitlement = 8});
  Running({.devices = 3});
  Running({.devices = 3});
  const JobId either = center_.Submit({
      .devices = 2, .classes = {"sim", "other"}
  });
  const JobId behind = center_.Submit({.may_borrow = false, .time_limit = absl::Hours(9)});
  center_.Round();
  ASSERT_EQ(center_.state(either), JobState::kStarting);
  ASSERT_EQ(center_.state(behind), JobState::kQueued);
  ASSERT_TRUE(center_.engine().PlanDue());
  center_.Round();
  EXPECT_EQ(center_.state(behind), JobState::kStarting);
}

// The anchor's tenant cannot own both, whatever could be recalled for the second.
TEST_F(AnchorTest, KeepsTheEntitlementOfItsTenantFromClaimsToo) {
  center_.AddNode("n1");
  center_.AddNode("n2");
  center_.SetQuota("acme", {.entitlement = 8});
  center_.SetQuota("beta", {.entitlement = 5});
  Running({.tenant = "beta", .devices = 5, .preemptible = false, .time_limit = absl::Hours(2)});
  const JobId anchored = center_.Submit({.nodes = 2, .devices = 4});
  center_.Round();
  ASSERT_EQ(TheAnchor().job, anchored);
  const JobId slow = center_.Submit({.devices = 3, .time_limit = absl::Hours(9)});
  center_.Round();
  EXPECT_EQ(center_.state(slow), JobState::kQueued);
  EXPECT_FALSE(center_.cluster().nominations().contains(slow));
}

TEST_F(AnchorTest, BehindALockedHeadIsNone) {
  center_.AddNode("n1");
  center_.Must(SetTenantQueue{"beta", QueuePreset::kFifo, absl::Hours(1)});
  center_.SetQuota("beta", {.limit = 6});
  Running({.devices = 6, .time_limit = absl::Hours(9)});
  Running({.tenant = "beta", .devices = 2, .time_limit = absl::Hours(9)});
  // The limit holds the head back, not the one behind it.
  const JobId head = center_.Submit({.tenant = "beta", .devices = 6});
  const JobId behind = Aged({.tenant = "beta", .devices = 4});
  EXPECT_TRUE(center_.cluster().anchors().empty());
  EXPECT_EQ(center_.cluster().ReasonOf(center_.cluster().GetJob(behind)).code,
            ReasonCode::kQueueHead);
  EXPECT_EQ(center_.state(head), JobState::kQueued);
}

// Not the next that looks like the one that has just started.
TEST_F(AnchorTest, IsTheOldest) {
  center_.AddNode("n1");
  const JobId running = Running({.devices = 8, .time_limit = absl::Hours(3)});
  const JobId first = center_.Submit({.tenant = "beta", .devices = 8});
  const JobId second =
      center_.Submit({.tenant = "gamma", .devices = 8, .time_limit = absl::Hours(2)});
  center_.Submit({.tenant = "beta", .devices = 8});
  center_.Advance(center_.engine().policy().borrow_age);
  center_.ExitJob(running);
  center_.Round();
  EXPECT_EQ(center_.state(first), JobState::kStarting);
  EXPECT_EQ(TheAnchor().job, second);
}

// What was let pass as lent must come back in time whoever of the borrowers is asked.
TEST_F(AnchorTest, IsPassedByABorrowerOnlyIfAllThatIsLentComesBackInTime) {
  AnchorBesideASlowBorrower();
  // Its own notice would fit, but by R3 it is beta who is asked.
  const JobId late = center_.Submit(
      {.tenant = "gamma", .devices = 3, .time_limit = absl::Hours(9), .grace = absl::Seconds(10)});
  center_.Round();
  EXPECT_EQ(center_.state(late), JobState::kQueued);
}

// What starts beside it can be asked for from the next round on, and leaves room for one more.
TEST_F(AnchorTest, CountsInTheNextRoundOnWhatStartsInThis) {
  AnchorBesideASlowBorrower();
  const TestJob borrower{
      .tenant = "gamma", .time_limit = absl::Hours(9), .grace = absl::Seconds(10)};
  const JobId first = center_.Submit(borrower);
  const JobId second = center_.Submit(borrower);
  center_.Round();
  ASSERT_EQ(center_.state(first), JobState::kStarting);
  ASSERT_EQ(center_.state(second), JobState::kQueued);
  ASSERT_TRUE(center_.engine().PlanDue());
  center_.Round();
  EXPECT_EQ(center_.state(second), JobState::kStarting);
}

// An anchor that may not break a block that is owed starts when another place is free.
TEST_F(AnchorTest, StartsWhereItBreaksNoOwedBlock) {
  center_.AddNode("n1");
  center_.AddNode("n2");
  center_.SetQuota("acme", {.entitlement = 8, .block_count = 1});  // one whole node
  center_.SetQuota("beta", {.entitlement = 8});
  Running({.tenant = "beta", .devices = 6, .preemptible = false, .time_limit = absl::Hours(3)});
  const absl::Time end = center_.now() + absl::Hours(3);
  center_.Advance(absl::Minutes(5));
  Running({.tenant = "gamma", .devices = 8, .time_limit = absl::Hours(1)});
  center_.SetQuota("beta", {.entitlement = 10});
  const JobId claim = center_.Submit({.tenant = "beta", .devices = 4});
  center_.Round();
  ASSERT_EQ(TheAnchor().job, claim);
  EXPECT_EQ(TheAnchor().shadow, end);
}

// While it was kept for the higher priority it was invisible to the owner; once it runs it is lent.
TEST_F(AnchorTest, AnOwnerIsHeardAgainAsSoonAsASwapHasStarted) {
  center_.AddNode("n1");
  center_.SetQuota("acme", {.entitlement = 8});
  const JobId first = Running({.tenant = "beta", .devices = 8});
  const JobId second = center_.Submit({.tenant = "beta", .devices = 8, .priority = 1});
  center_.Round();
  ASSERT_EQ(center_.state(first), JobState::kStopping);
  const JobId claim = center_.Submit({.devices = 8});
  center_.Round();
  for (AllocationId member : center_.GetJob(first).allocations) {
    center_.Report(member, ReportKind::kKilled);
  }
  center_.Round();
  ASSERT_EQ(center_.state(second), JobState::kStarting);
  ASSERT_TRUE(center_.engine().PlanDue());
  center_.Round();
  EXPECT_TRUE(center_.cluster().nominations().contains(claim));
}

// Beyond the entitlement a share takes its turn with those who borrow, whatever device it joins.
TEST_F(AnchorTest, IsNotPassedByAShareBeyondTheEntitlement) {
  center_.AddNode("n1", 2);
  center_.SetQuota("acme", {.entitlement = 1});
  const auto share = [this](absl::Duration time_limit) {
    SubmitJob submit;
    submit.spec.name = "share";
    submit.spec.gang.device_share_milli = 300;
    submit.spec.time_limit = time_limit;
    submit.device_classes = {"sim"};
    return center_.TryAs(center_.UserOf("acme"), submit)->job;
  };
  const JobId owned = share(absl::Hours(2));
  center_.Round();
  center_.RunJob(owned);
  Running({.time_limit = absl::Hours(2)});
  const JobId anchored = Aged({.tenant = "beta", .devices = 2});
  ASSERT_EQ(TheAnchor().job, anchored);
  const JobId late = share(absl::Hours(9));
  const JobId quick = share(absl::Minutes(5));
  center_.Round();
  EXPECT_EQ(center_.state(late), JobState::kQueued);
  EXPECT_EQ(center_.state(quick), JobState::kStarting);
}

// When what the tenant owns has ended the request is owned, and may not break the block.
TEST_F(AnchorTest, CountsOnTheLabelThatItMayHaveByThen) {
  for (const char* node : {"n1", "n2", "n3"}) {
    center_.AddNode(node);
  }
  center_.AddTenant("delta");
  center_.SetQuota("acme", {.entitlement = 8});
  center_.SetQuota("gamma", {.entitlement = 8, .block_count = 1});  // one whole node
  center_.SetQuota("delta", {.entitlement = 8});
  const JobId own = Running({.devices = 2, .time_limit = absl::Hours(3)});
  Running({.tenant = "delta", .devices = 6, .time_limit = absl::Hours(9)});
  const absl::Time end = center_.now() + absl::Hours(9);
  Running({.tenant = "beta", .devices = 8, .time_limit = absl::Hours(5)});
  Running({.tenant = "delta", .devices = 2, .time_limit = absl::Hours(99)});
  Running({.tenant = "beta", .devices = 6, .time_limit = absl::Hours(99)});
  const JobId anchored = Aged({.devices = 8, .time_limit = absl::Hours(1)});
  ASSERT_EQ(TheAnchor().job, anchored);
  EXPECT_EQ(TheAnchor().shadow, end);
  center_.ExitJob(own);
  center_.Round();
  ASSERT_EQ(TheAnchor().job, anchored);
  EXPECT_EQ(TheAnchor().shadow, end);
}

// Time alone brings what ends within its notice: from then on nobody need be asked for it.
TEST_F(AnchorTest, AClaimIsLookedAtAgainWhenAGangComesToItsEnd) {
  center_.AddNode("n1");
  center_.AddNode("n2");
  center_.SetQuota("acme", {.entitlement = 9});
  center_.SetQuota("gamma", {.entitlement = 5});
  Running({.time_limit = absl::Hours(9), .grace = absl::Minutes(10)});
  Running({.tenant = "gamma",
           .devices = 5,
           .time_limit = absl::Minutes(10),
           .grace = absl::Minutes(5)});
  const JobId lent = Running({.tenant = "beta", .devices = 8, .grace = absl::Seconds(10)});
  const JobId claim = center_.Submit({.nodes = 2, .devices = 4});
  center_.Round();
  ASSERT_EQ(center_.state(lent), JobState::kRunning);
  for (int second = 1; second <= 4 * 60 + 30; ++second) {
    center_.Advance(absl::Seconds(1));
    if (center_.engine().PlanDue()) {
      ASSERT_EQ(center_.state(lent), JobState::kRunning);
      center_.Round();
    }
  }
  EXPECT_EQ(center_.state(lent), JobState::kStopping);
  EXPECT_TRUE(center_.cluster().nominations().contains(claim));
}

// What rule T1 keeps from a request that would be owned then, another may borrow.
TEST_F(AnchorTest, ARequestThatIsNeverPlacedSaysNothingAboutOneThatBorrows) {
  center_.AddNode("n1", 4);
  center_.AddNode("n2", 4);
  center_.AddTenant("delta");
  center_.SetQuota("acme", {.entitlement = 2});
  center_.SetQuota("gamma", {.entitlement = 4, .block_count = 1});  // one whole node
  center_.SetQuota("delta", {.entitlement = 2});
  Running({.time_limit = absl::Hours(3)});
  Running({.tenant = "delta", .devices = 2, .time_limit = absl::Hours(99)});
  Running({.tenant = "beta", .time_limit = absl::Hours(99)});
  Running({.tenant = "beta", .devices = 4, .time_limit = absl::Hours(5)});
  const JobId never = center_.Submit({.nodes = 2});
  const JobId lent = Aged({.tenant = "beta", .nodes = 2});
  ASSERT_EQ(center_.state(never), JobState::kQueued);
  ASSERT_EQ(center_.cluster().anchors().size(), 1U);
  EXPECT_EQ(TheAnchor().job, lent);
}

// What a victim of the same round holds is free for those behind the anchor as soon as it is asked.
TEST_F(AnchorTest, IsLookedAtAgainOnceAClaimHasItsVictims) {
  for (const char* node : {"n1", "n2", "n3", "n4", "n5"}) {
    center_.AddNode(node, 1);
  }
  center_.SetQuota("acme", {.entitlement = 3});
  center_.SetQuota("gamma", {.entitlement = 2});
  const absl::Duration days = absl::Hours(48);
  Running({.tenant = "beta", .nodes = 2, .time_limit = days});
  Running({.tenant = "gamma", .preemptible = false, .time_limit = days});
  const JobId first = Running({.tenant = "gamma", .time_limit = days});
  const JobId second = Running({.time_limit = days});
  const JobId anchored = Aged({.tenant = "beta", .nodes = 2});
  const JobId behind = center_.Submit({.tenant = "beta", .time_limit = days});
  const JobId claim = center_.Submit({.nodes = 3});
  center_.Round();
  center_.ExitJob(first);
  center_.ExitJob(second);
  center_.Round();
  ASSERT_TRUE(center_.cluster().nominations().contains(claim));
  ASSERT_EQ(TheAnchor().job, anchored);
  ASSERT_EQ(center_.state(behind), JobState::kQueued);
  ASSERT_TRUE(center_.engine().PlanDue());
  center_.Round();
  EXPECT_EQ(center_.state(behind), JobState::kStarting);
}

// What has started may be what a higher priority of its tenant stops for the anchor.
TEST_F(AnchorTest, IsLookedAtAgainWhenItMaySwapWhatHasStarted) {
  center_.AddNode("n1", 2);
  const JobId other = Running({.tenant = "beta", .time_limit = absl::Hours(9)});
  Running({.time_limit = absl::Hours(9)});
  const JobId oldest = center_.Submit({});
  const JobId anchored = Aged({.devices = 2, .priority = 1});
  ASSERT_EQ(center_.state(oldest), JobState::kQueued);
  center_.ExitJob(other);
  center_.Round();
  ASSERT_EQ(center_.state(oldest), JobState::kStarting);
  ASSERT_EQ(TheAnchor().job, anchored);
  ASSERT_TRUE(center_.engine().PlanDue());
  center_.Round();
  EXPECT_TRUE(center_.cluster().nominations().contains(anchored));
}

}  // namespace
}  // namespace berth
