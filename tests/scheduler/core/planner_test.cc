#include "scheduler/core/planner.h"

#include <set>

#include <gtest/gtest.h>

#include "common/error_detail.h"
#include "tests/testing/test_center.h"

namespace berth {
namespace {

class PlannerTest : public testing::Test {
 protected:
  void SetUp() override {
    center_.AddTenant("acme");
    center_.AddTenant("beta");
    center_.AddNode("n1");
    center_.AddNode("n2");
  }
  PendingReason Reason(JobId id) {
    return center_.cluster().ReasonOf(center_.cluster().GetJob(id));
  }

  TestCenter center_;
};

TEST_F(PlannerTest, AGangGetsDistinctNodesAndDevices) {
  const JobId job = center_.Submit({.nodes = 2, .devices = 4});
  center_.Round();
  ASSERT_EQ(center_.state(job), JobState::kDispatching);
  std::set<NodeId> nodes;
  for (AllocationId id : center_.GetJob(job).allocations) {
    const Allocation& member = center_.cluster().GetAllocation(id);
    nodes.insert(member.node);
    EXPECT_EQ(member.devices.size(), 4U);
  }
  EXPECT_EQ(nodes.size(), 2U);
}

TEST_F(PlannerTest, SmallJobsFillABrokenNodeFirst) {
  const JobId first = center_.Submit({.devices = 2});
  center_.Round();
  const JobId second = center_.Submit({.devices = 2});
  center_.Round();
  const Job a = center_.GetJob(first);
  const Job b = center_.GetJob(second);
  EXPECT_EQ(center_.cluster().GetAllocation(a.allocations[0]).node,
            center_.cluster().GetAllocation(b.allocations[0]).node);
}

TEST_F(PlannerTest, AJobBeyondTheLimitWaitsWithTheNumbers) {
  center_.SetQuota("acme", {.entitlement = 4, .limit = 4});
  center_.Submit({.devices = 3});
  const JobId second = center_.Submit({.devices = 2});
  center_.Round();
  EXPECT_EQ(center_.state(second), JobState::kQueued);
  EXPECT_EQ(Reason(second).code, ReasonCode::kTenantLimit);
  EXPECT_EQ(Reason(second).message, "tenant \"acme\" may hold 4 sim, uses 3, job asks 2");
}

TEST_F(PlannerTest, WhatCanNeverRunIsRefusedWithTheBound) {
  center_.SetQuota("acme", {.entitlement = 2, .limit = 4});
  for (const TestJob& job : {
           TestJob{.devices = 5    },
           TestJob{                     .tenant = "beta",      .nodes = 3, .devices = 8},
           TestJob{         .tenant = "beta", .devices = 9},
           TestJob{.tenant = "beta", .classes = {"other"}},
           TestJob{ .devices = 3,     .preemptible = false}
  }) {
    const auto outcome = center_.TrySubmit(job);
    ASSERT_FALSE(outcome.ok());
    ASSERT_TRUE(FindDetail(outcome.status()).has_value());
    EXPECT_TRUE(FindDetail(outcome.status())->refused_by_entitlement) << outcome.status();
  }
}

TEST_F(PlannerTest, ReasonsTellBusyFromFragmented) {
  center_.Submit({.devices = 5});
  center_.Submit({.devices = 5});
  center_.Round();
  const JobId fragmented = center_.Submit({.devices = 6});
  const JobId busy = center_.Submit({.nodes = 2, .devices = 8});
  center_.Round();
  EXPECT_EQ(Reason(fragmented).code, ReasonCode::kFragmentation);
  EXPECT_EQ(Reason(fragmented).message,
            "needs 6 sim on one node; 0 have that many free (6 free in all)");
  EXPECT_EQ(Reason(busy).code, ReasonCode::kDevicesBusy);
  EXPECT_EQ(Reason(busy).message, "needs 2 nodes with 8 sim each; 6 of 16 are free");
}

TEST_F(PlannerTest, OwnedClaimsGoBeforeBorrowRequests) {
  center_.SetQuota("beta", {.entitlement = 16});
  const JobId borrower = center_.Submit({.nodes = 2, .devices = 8});
  const JobId owner = center_.Submit({.tenant = "beta", .nodes = 2, .devices = 8});
  center_.Round();
  EXPECT_EQ(center_.state(owner), JobState::kDispatching);
  EXPECT_EQ(center_.GetJob(owner).attempt.funding, Funding::kOwned);
  EXPECT_EQ(center_.state(borrower), JobState::kQueued);
}

TEST_F(PlannerTest, TheNonLendablePartStaysFree) {
  center_.SetQuota("beta", {.entitlement = 8, .non_lendable = 8});
  const JobId fits = center_.Submit({.devices = 8});
  const JobId waits = center_.Submit({.devices = 1});
  center_.Round();
  EXPECT_EQ(center_.state(fits), JobState::kStarting);
  EXPECT_EQ(Reason(waits).code, ReasonCode::kNonLendable);
}

TEST_F(PlannerTest, LabelsUpgradeWhenEntitlementFreesUp) {
  center_.SetQuota("acme", {.entitlement = 4});
  const JobId owned = center_.Submit({.devices = 4});
  center_.Round();
  const JobId borrowed = center_.Submit({.devices = 4});
  center_.Round();
  center_.RunJob(owned);
  center_.RunJob(borrowed);
  EXPECT_EQ(center_.GetJob(borrowed).attempt.funding, Funding::kBorrowed);
  center_.ExitJob(owned);
  EXPECT_EQ(center_.GetJob(borrowed).attempt.funding, Funding::kOwned);
}

TEST_F(PlannerTest, HigherPriorityFirstThenOlder) {
  const JobId old = center_.Submit({.nodes = 2, .devices = 8});
  const JobId urgent = center_.Submit({.nodes = 2, .devices = 8, .priority = 5});
  center_.Round();
  EXPECT_EQ(center_.state(urgent), JobState::kDispatching);
  EXPECT_EQ(center_.state(old), JobState::kQueued);
}

TEST_F(PlannerTest, TenantsShareByUseOverEntitlement) {
  center_.SetQuota("acme", {.entitlement = 8});
  center_.SetQuota("beta", {.entitlement = 8});
  for (int i = 0; i < 16; ++i) {
    center_.Submit({});
  }
  for (int i = 0; i < 16; ++i) {
    center_.Submit({.tenant = "beta"});
  }
  center_.Round();
  for (const char* tenant : {"acme", "beta"}) {
    const TenantId id = center_.cluster().quota().FindTenantByName(tenant)->id;
    EXPECT_EQ(center_.cluster()
                  .quota()
                  .Use({id, ProjectId(), *center_.cluster().FindClass("sim")})
                  .used(),
              8);
  }
}

TEST_F(PlannerTest, AlternativesAreTriedInOrderAndNeverMixed) {
  center_.AddNode("m1", 4, "other");
  center_.Submit({.nodes = 2, .devices = 6});
  center_.Round();
  const JobId job = center_.Submit({
      .devices = 4, .classes = {"sim", "other"}
  });
  center_.Round();
  ASSERT_EQ(center_.state(job), JobState::kStarting);
  EXPECT_EQ(center_.cluster().ClassName(center_.GetJob(job).attempt.device_class), "other");
}

TEST_F(PlannerTest, DrainedNodesTakeNothingNew) {
  center_.Must(DrainNode{"n1", "repair"});
  center_.Must(DrainNode{"n2", "repair"});
  const JobId job = center_.Submit({});
  center_.Round();
  EXPECT_EQ(center_.state(job), JobState::kQueued);
  EXPECT_EQ(Reason(job).code, ReasonCode::kNoNodes);
  center_.Must(UndrainNode{"n2"});
  EXPECT_TRUE(center_.engine().PlanDue());
  center_.Round();
  EXPECT_EQ(center_.state(job), JobState::kStarting);
}

TEST_F(PlannerTest, AJobWithoutDevicesNeedsNoQuota) {
  center_.SetQuota("acme", {.entitlement = 0, .limit = 0});
  const JobId job = center_.Submit({.devices = 0});
  center_.Round();
  EXPECT_EQ(center_.state(job), JobState::kStarting);
}

TEST_F(PlannerTest, AFurtherShareOfAnOpenDeviceTakesNothingNewOfTheQuota) {
  center_.SetQuota("acme", {.entitlement = 1, .limit = 1});
  SubmitJob share;
  share.spec.name = "share";
  share.spec.gang.device_share_milli = 400;
  share.device_classes = {"sim"};
  std::vector<JobId> jobs;
  for (int i = 0; i < 3; ++i) {
    const auto outcome = center_.TryAs(center_.UserOf("acme"), share);
    ASSERT_TRUE(outcome.ok()) << outcome.status();
    jobs.push_back(outcome->job);
  }
  center_.Round();
  EXPECT_EQ(center_.state(jobs[0]), JobState::kStarting);
  EXPECT_EQ(center_.state(jobs[1]), JobState::kStarting);
  EXPECT_EQ(Reason(jobs[2]).code, ReasonCode::kTenantLimit);
  const absl::Status sound = CheckInvariants(center_.cluster());
  EXPECT_TRUE(sound.ok()) << sound;
}

TEST_F(PlannerTest, OwnedWorkLeavesTheBlocksThatAreOwedWhole) {
  center_.SetQuota("acme", {.entitlement = 8, .block_count = 1});  // one whole node
  center_.SetQuota("beta", {.entitlement = 8});
  const auto submit = [this](const char* avoided) {
    SubmitJob job;
    job.spec.name = "job";
    job.spec.gang.excluded_nodes = {avoided};
    job.device_classes = {"sim"};
    return center_.TryAs(center_.UserOf("beta"), job)->job;
  };
  const JobId first = submit("n2");
  const JobId second = submit("n1");
  center_.Round();
  EXPECT_EQ(center_.state(first), JobState::kStarting);
  EXPECT_EQ(center_.state(second), JobState::kQueued);
  EXPECT_EQ(Reason(second).code, ReasonCode::kBlocksOwed);
}

TEST_F(PlannerTest, AShareThatMustNotBorrowJoinsNoBorrowedDevice) {
  center_.SetQuota("acme", {.entitlement = 1});
  center_.Submit({.devices = 1});
  SubmitJob share;
  share.spec.name = "share";
  share.spec.gang.device_share_milli = 400;
  share.device_classes = {"sim"};
  const JobId lent = center_.TryAs(center_.UserOf("acme"), share)->job;
  share.spec.may_borrow = false;
  const JobId strict = center_.TryAs(center_.UserOf("acme"), share)->job;
  center_.Round();
  center_.Round();
  EXPECT_EQ(center_.GetJob(lent).attempt.funding, Funding::kBorrowed);
  EXPECT_EQ(center_.state(strict), JobState::kQueued);
  EXPECT_EQ(Reason(strict).code, ReasonCode::kBorrowing);
}

}  // namespace
}  // namespace berth
