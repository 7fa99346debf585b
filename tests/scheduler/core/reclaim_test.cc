#include "scheduler/core/reclaim.h"

#include <algorithm>
#include <set>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "scheduler/core/planner.h"
#include "tests/testing/test_center.h"
#include "tests/testing/test_cluster.h"

namespace berth {
namespace {

// Two nodes of 8; acme owns 8 of the 16 and beta owns nothing.
class ReclaimTest : public testing::Test {
 protected:
  void SetUp() override {
    for (const char* tenant : {"acme", "beta", "gamma"}) {
      center_.AddTenant(tenant);
    }
    center_.AddNode("n1");
    center_.AddNode("n2");
    center_.SetQuota("acme", {.entitlement = 8});
  }
  JobId Running(const TestJob& job) { return center_.SubmitRunning(job); }
  void Killed(JobId id) {
    for (AllocationId member : center_.GetJob(id).allocations) {
      center_.Report(member, ReportKind::kKilled);
    }
    center_.Commit();
  }
  PendingReason Reason(JobId id) {
    return center_.cluster().ReasonOf(center_.cluster().GetJob(id));
  }
  void ExpectSound() {
    const absl::Status status = CheckInvariants(center_.cluster());
    EXPECT_TRUE(status.ok()) << status;
  }

  TestCenter center_;
};

TEST_F(ReclaimTest, AnOwnerGetsLentDevicesBackAfterTheNotice) {
  const JobId first = Running({.tenant = "beta", .devices = 8});
  center_.Advance(absl::Seconds(10));
  const JobId second = Running({.tenant = "beta", .devices = 8});
  const JobId claim = center_.Submit({.devices = 8});
  center_.Round();
  // R3: the later start of the two has lost least.
  EXPECT_EQ(center_.state(first), JobState::kRunning);
  EXPECT_EQ(center_.state(second), JobState::kStopping);
  EXPECT_EQ(Reason(claim).code, ReasonCode::kRecalling);
  const Reclaim certificate = center_.cluster().open_reclaims().at(claim);
  EXPECT_EQ(certificate.entitlement, 8);
  EXPECT_EQ(certificate.used, 0);
  EXPECT_EQ(certificate.candidate_count, 2);
  EXPECT_EQ(certificate.due, center_.now() + absl::Minutes(5) + absl::Seconds(30));
  Killed(second);
  center_.Round();
  EXPECT_EQ(center_.GetJob(claim).attempt.funding, Funding::kOwned);
  EXPECT_EQ(center_.state(claim), JobState::kStarting);
  EXPECT_EQ(center_.GetJob(second).state, JobState::kQueued);
  EXPECT_EQ(center_.GetJob(second).attempt.end.reason, EndReason::kPreempted);
  EXPECT_TRUE(center_.cluster().nominations().empty());
  ExpectSound();
}

TEST_F(ReclaimTest, WhatIsFreedForAClaimIsNobodyElses) {
  const JobId small = Running({.tenant = "beta", .devices = 4});
  const JobId other = Running({.tenant = "beta", .devices = 4});
  const JobId rest = Running({.tenant = "beta", .devices = 8});
  const JobId claim = center_.Submit({.devices = 8});
  center_.Round();
  ASSERT_EQ(Reason(claim).code, ReasonCode::kRecalling);
  // Another request would fit what the first victim leaves.
  const JobId thief = center_.Submit({.tenant = "gamma", .devices = 2});
  for (JobId victim : {small, other, rest}) {
    if (center_.state(victim) == JobState::kStopping) {
      Killed(victim);
    }
  }
  center_.Round();
  EXPECT_EQ(center_.state(claim), JobState::kStarting);
  EXPECT_EQ(center_.state(thief), JobState::kQueued);
  ExpectSound();
}

TEST_F(ReclaimTest, ACancelledClaimGivesItsDevicesBack) {
  const JobId first = Running({.tenant = "beta", .devices = 8});
  const JobId second = Running({.tenant = "beta", .devices = 8});
  const JobId claim = center_.Submit({.devices = 8});
  center_.Round();
  const JobId victim = center_.state(first) == JobState::kStopping ? first : second;
  Killed(victim);
  center_.Must(CancelJob{claim, "", false});
  ASSERT_TRUE(center_.engine().PlanDue());
  center_.Round();
  EXPECT_TRUE(center_.cluster().nominations().empty());
  center_.Advance(absl::Seconds(5));
  center_.Round();
  EXPECT_EQ(center_.state(victim), JobState::kStarting);
  ExpectSound();
}

TEST_F(ReclaimTest, ABorrowerStopsNobody) {
  Running({.tenant = "beta", .devices = 8});
  Running({.tenant = "beta", .devices = 8});
  const JobId hopeful = center_.Submit({.tenant = "gamma", .devices = 1, .priority = 1000});
  center_.Round();
  EXPECT_EQ(Reason(hopeful).code, ReasonCode::kDevicesBusy);
  EXPECT_TRUE(center_.cluster().nominations().empty());
}

TEST_F(ReclaimTest, OwnedWorkIsNoVictim) {
  center_.SetQuota("beta", {.entitlement = 8});
  Running({.tenant = "beta", .devices = 8});
  const JobId borrowed = Running({.tenant = "gamma", .devices = 8});
  const JobId claim = center_.Submit({.devices = 4});
  center_.Round();
  EXPECT_EQ(center_.state(borrowed), JobState::kStopping);
  EXPECT_EQ(center_.cluster().open_reclaims().at(claim).candidate_count, 1);
}

TEST_F(ReclaimTest, NoGangIsStoppedThatTheClaimCanDoWithout) {
  // Six single devices and a gang of two fill the first node; a claim of two needs the gang alone
  // or two singles, never three.
  std::vector<JobId> jobs;
  for (int i = 0; i < 6; ++i) {
    jobs.push_back(Running({.tenant = "beta", .devices = 1}));
  }
  jobs.push_back(Running({.tenant = "beta", .devices = 2}));
  jobs.push_back(Running({.tenant = "gamma", .devices = 8}));
  center_.Submit({.devices = 2});
  center_.Round();
  int64_t given = 0;
  for (JobId id : jobs) {
    given += center_.state(id) == JobState::kStopping ? center_.GetJob(id).spec.gang.devices() : 0;
  }
  EXPECT_TRUE(given == 2 || given == 8) << given;
}

TEST_F(ReclaimTest, TheTenantFarthestAboveItsEntitlementIsAskedFirst) {
  center_.SetQuota("gamma", {.entitlement = 0, .weight = 4});
  const JobId light = Running({.tenant = "beta", .devices = 6});
  const JobId heavy = Running({.tenant = "gamma", .devices = 8});
  center_.Submit({.devices = 6});
  center_.Round();
  // 6 / 1 is more than 8 / 4.
  EXPECT_EQ(center_.state(light), JobState::kStopping);
  EXPECT_EQ(center_.state(heavy), JobState::kRunning);
}

TEST_F(ReclaimTest, AHigherPriorityOfTheSameTenantGoesFirst) {
  center_.SetQuota("acme", {.entitlement = 8, .limit = 8});
  const JobId low = Running({.devices = 8});
  const JobId equal = center_.Submit({.devices = 8});
  center_.Round();
  EXPECT_EQ(center_.state(low), JobState::kRunning);
  const JobId high = center_.Submit({.devices = 8, .priority = 5});
  center_.Round();
  EXPECT_EQ(center_.state(low), JobState::kStopping);
  EXPECT_TRUE(center_.cluster().open_reclaims().at(high).within_tenant);
  Killed(low);
  center_.Round();
  EXPECT_EQ(center_.state(high), JobState::kStarting);
  EXPECT_EQ(center_.state(equal), JobState::kQueued);
  ExpectSound();
}

TEST_F(ReclaimTest, AClaimWhoseNodeIsLostLooksElsewhere) {
  Running({.tenant = "beta", .devices = 8});
  const JobId victim = Running({.tenant = "beta", .devices = 8});
  const JobId claim = center_.Submit({.devices = 8});
  center_.Round();
  const NodeId node = center_.cluster().nominations().at(claim).members[0].node;
  center_.Must(DrainNode{center_.cluster().GetNode(node).name, ""});
  center_.Round();
  center_.Round();
  EXPECT_EQ(center_.state(victim), JobState::kStopping);
  ASSERT_TRUE(center_.cluster().nominations().contains(claim));
  EXPECT_NE(center_.cluster().nominations().at(claim).members[0].node, node);
  ExpectSound();
}

TEST_F(ReclaimTest, WhatALapsedClaimLeavesIsLookedAtAgain) {
  Running({.tenant = "beta", .devices = 8});
  Running({.tenant = "beta", .devices = 8});
  const JobId claim = center_.Submit({.devices = 8});
  center_.Round();
  const NodeId node = center_.cluster().nominations().at(claim).members[0].node;
  center_.Must(DrainNode{center_.cluster().GetNode(node).name, ""});
  center_.Round();
  EXPECT_TRUE(center_.engine().PlanDue());
}

// What is being given back is not there yet.
TEST_F(ReclaimTest, AClaimWaitsForTheMemoryThatComesBack) {
  const JobId holder = Running({
      .devices = 1, .per_node = {1000, 200000}
  });
  Running({.tenant = "beta", .devices = 8});
  center_.Must(CancelJob{holder, "", false});
  const JobId claim = center_.Submit({
      .devices = 1, .per_node = {1000, 200000}
  });
  center_.Round();
  EXPECT_EQ(center_.state(claim), JobState::kQueued);
  Killed(holder);
  center_.Round();
  EXPECT_EQ(center_.state(claim), JobState::kStarting);
  ExpectSound();
}

TEST_F(ReclaimTest, NobodyIsStoppedForWhatALapsedClaimLeaves) {
  center_.SetQuota("gamma", {.entitlement = 8});
  const JobId first = Running({.tenant = "beta", .devices = 8});
  const JobId second = Running({.tenant = "beta", .devices = 8});
  const JobId gone = center_.Submit({.devices = 8});
  center_.Round();
  const JobId rest = center_.state(first) == JobState::kStopping ? second : first;
  center_.Must(CancelJob{gone, "", false});
  const JobId claim = center_.Submit({.tenant = "gamma", .devices = 8});
  center_.Round();
  ASSERT_TRUE(center_.engine().PlanDue());
  center_.Round();
  EXPECT_TRUE(center_.cluster().nominations().contains(claim));
  EXPECT_EQ(center_.state(rest), JobState::kRunning);
  ExpectSound();
}

// The same round ends a nomination and starts its job: what it owns is not given to another first.
TEST_F(ReclaimTest, ALapsedClaimThatStartsKeepsItsEntitlement) {
  Running({.tenant = "beta", .devices = 8});
  Running({.tenant = "beta", .devices = 8});
  const JobId claim = center_.Submit({.devices = 8});
  center_.Round();
  ASSERT_TRUE(center_.cluster().nominations().contains(claim));
  // Borrowed, for the claim has the entitlement.
  center_.AddNode("n3");
  const JobId other = Running({.devices = 8});
  ASSERT_EQ(center_.GetJob(other).attempt.funding, Funding::kBorrowed);
  const NodeId node = center_.cluster().nominations().at(claim).members[0].node;
  center_.Must(DrainNode{center_.cluster().GetNode(node).name, ""});
  center_.AddNode("n4");
  center_.Round();
  EXPECT_EQ(center_.GetJob(claim).attempt.funding, Funding::kOwned);
  EXPECT_EQ(center_.GetJob(other).attempt.funding, Funding::kBorrowed);
  ExpectSound();
}

// Its own project's limit is what it needs room in: stopping another project's job is no help.
TEST_F(ReclaimTest, APriorityStopsOnlyWhatItsProjectsLimitIsUsedBy) {
  center_.Must(AddProject{"acme", "small"});
  center_.Must(berth::SetQuota{"acme", "small", "sim", {.limit = 2}, true, false});
  const auto submit = [this](const char* project, int devices, int priority) {
    SubmitJob request;
    request.spec.name = "job";
    request.spec.gang.devices_per_node = devices;
    request.spec.priority = priority;
    request.spec.time_limit = absl::Hours(1);
    request.project = project;
    request.device_classes = {"sim"};
    const JobId id = center_.TryAs(center_.UserOf("acme"), request)->job;
    center_.Round();
    return id;
  };
  const JobId elsewhere = submit("", 6, 0);
  center_.RunJob(elsewhere);
  const JobId same = submit("small", 2, 1);
  center_.RunJob(same);
  const JobId claim = submit("small", 2, 5);
  EXPECT_EQ(center_.state(elsewhere), JobState::kRunning);
  EXPECT_EQ(center_.state(same), JobState::kStopping);
  EXPECT_TRUE(center_.cluster().nominations().contains(claim));
}

// Two victims for the quota's sake, one of which holds none of the claim's devices.
TEST_F(ReclaimTest, AClaimWaitsForEveryVictimAndAsksNobodyTwice) {
  center_.SetQuota("acme", {.entitlement = 8, .limit = 8});
  std::vector<JobId> low;
  for (int i = 0; i < 4; ++i) {
    low.push_back(Running({.devices = 2}));
  }
  const JobId first = center_.Submit({.devices = 2, .priority = 5});
  center_.Round();
  const JobId second = center_.Submit({.devices = 2, .priority = 4});
  center_.Round();
  const auto stopping = [&] {
    return std::count_if(low.begin(), low.end(),
                         [this](JobId id) { return center_.state(id) == JobState::kStopping; });
  };
  EXPECT_EQ(stopping(), 2);
  EXPECT_TRUE(center_.cluster().nominations().contains(first));
  EXPECT_TRUE(center_.cluster().nominations().contains(second));
  const JobId large = center_.Submit({.devices = 4, .priority = 9});
  center_.Round();
  ASSERT_EQ(stopping(), 4);
  for (JobId id : low) {
    Killed(id);
    center_.Round();
    ExpectSound();
  }
  EXPECT_EQ(center_.state(large), JobState::kStarting);
}

TEST_F(ReclaimTest, EveryTaskOfAnArrayMayClaimAtOnce) {
  Running({.tenant = "beta", .devices = 8});
  Running({.tenant = "beta", .devices = 8});
  SubmitJob submit;
  submit.spec.name = "array";
  submit.spec.gang.devices_per_node = 4;
  submit.spec.array = {.first = 0, .count = 2};
  submit.device_classes = {"sim"};
  ASSERT_TRUE(center_.TryAs(center_.UserOf("acme"), submit).ok());
  center_.Round();
  EXPECT_EQ(center_.cluster().nominations().size(), 2U);
  ExpectSound();
}

// Rule: what was asked to give back does so, as for any claim that is given up.
TEST_F(ReclaimTest, TheClaimOfATaskIsGivenUpOnceTooManyOfItsArrayHaveFailed) {
  const JobId lent = Running({.tenant = "beta", .devices = 8});
  const JobId small = Running({.tenant = "beta", .devices = 4});
  const JobId array = center_.Submit({
      .devices = 4, .array = {.count = 3, .fails_max = 1}
  });
  const std::vector<JobId> tasks = center_.StartTasks(array);
  ASSERT_EQ(tasks.size(), 2U);
  ASSERT_TRUE(center_.cluster().nominations().contains(tasks[1]));
  const JobId asked = center_.state(lent) == JobState::kStopping ? lent : small;
  center_.RunJob(tasks[0]);
  center_.ExitJob(tasks[0], 7);
  EXPECT_EQ(center_.state(tasks[1]), JobState::kCancelled);
  const Job ended = center_.GetJob(array);
  EXPECT_EQ(ended.state, JobState::kFailed);
  EXPECT_EQ(ended.tasks.cancelled, 2);
  EXPECT_NE(ended.attempt.end.message.find("2 were cancelled unstarted"), std::string::npos)
      << ended.attempt.end.message;
  ExpectSound();
  center_.Round();
  EXPECT_TRUE(center_.cluster().nominations().empty());
  EXPECT_EQ(center_.state(asked), JobState::kStopping);
  Killed(asked);
  center_.Round();
  EXPECT_EQ(center_.state(asked), JobState::kQueued);
  ExpectSound();
}

// Also of an array whose tasks are all jobs already.
TEST_F(ReclaimTest, TheLastTaskOfAnArrayDoesNotStartOnceTooManyHaveFailed) {
  Running({.tenant = "beta", .devices = 8});
  Running({.tenant = "beta", .devices = 4});
  const JobId array = center_.Submit({
      .devices = 4, .array = {.count = 2, .fails_max = 1}
  });
  const std::vector<JobId> tasks = center_.StartTasks(array);
  ASSERT_EQ(tasks.size(), 2U);
  ASSERT_EQ(center_.state(array), JobState::kRunning);
  center_.RunJob(tasks[0]);
  center_.ExitJob(tasks[0], 7);
  EXPECT_EQ(center_.state(tasks[1]), JobState::kCancelled);
  EXPECT_EQ(center_.state(array), JobState::kFailed);
  ExpectSound();
}

TEST_F(ReclaimTest, WhatAClaimWillTakeOfAHostIsKeptForIt) {
  Running({.tenant = "beta", .devices = 8});
  Running({.tenant = "beta", .devices = 8});
  const JobId claim = center_.Submit({
      .devices = 8, .per_node = {48000, 1000}
  });
  center_.Round();
  ASSERT_TRUE(center_.cluster().nominations().contains(claim));
  const NodeId node = center_.cluster().nominations().at(claim).members[0].node;
  std::vector<JobId> others;
  for (int i = 0; i < 4; ++i) {
    others.push_back(center_.Submit({
        .tenant = "gamma", .devices = 0, .per_node = {30000, 1000}
    }));
  }
  center_.Round();
  std::set<NodeId> taken;
  for (AllocationId id : center_.cluster().AllocationsOn(node)) {
    EXPECT_GT(center_.cluster().GetAllocation(id).devices.size(), 0U);
  }
  EXPECT_EQ(center_.state(others[1]), JobState::kStarting);
  EXPECT_EQ(center_.state(others[2]), JobState::kQueued);
  EXPECT_EQ(Reason(others[2]).code, ReasonCode::kHostResources);
  const JobId small = center_.Submit({
      .tenant = "gamma", .devices = 0, .per_node = {16000, 0}
  });
  center_.Round();
  EXPECT_EQ(center_.cluster().GetAllocation(center_.GetJob(small).allocations[0]).node, node);
  ExpectSound();
  for (AllocationId id : std::set<AllocationId>(center_.cluster().AllocationsOn(node))) {
    if (!center_.cluster().GetAllocation(id).devices.empty()) {
      center_.Report(id, ReportKind::kKilled);
    }
  }
  center_.Commit();
  center_.Round();
  EXPECT_EQ(center_.state(claim), JobState::kStarting);
  ExpectSound();
}

// What a gang gives back already is there for the next claim, and is not asked for twice.
TEST_F(ReclaimTest, AShrinkingGangIsAskedOnlyForWhatItKeeps) {
  const JobId elastic = Running({.tenant = "beta", .nodes = 2, .devices = 8, .min_nodes = 1});
  const JobId first = center_.Submit({.devices = 4});
  center_.Round();
  ASSERT_EQ(center_.state(elastic), JobState::kRunning);
  ASSERT_TRUE(center_.cluster().nominations().contains(first));
  const JobId second = center_.Submit({.devices = 4});
  center_.Round();
  EXPECT_EQ(center_.state(elastic), JobState::kRunning);
  ASSERT_TRUE(center_.cluster().nominations().contains(second));
  EXPECT_TRUE(center_.cluster().open_reclaims().at(second).candidates.empty());
  ExpectSound();
}

// A device is kept for one claim, though it may be shared as soon as that has started.
TEST_F(ReclaimTest, ClaimsOfSharesKeepADeviceEach) {
  Running({.tenant = "beta", .nodes = 2, .devices = 8});
  SubmitJob share;
  share.spec.name = "share";
  share.spec.gang.device_share_milli = 400;
  share.spec.array = {.first = 0, .count = 2};
  share.device_classes = {"sim"};
  ASSERT_TRUE(center_.TryAs(center_.UserOf("acme"), share).ok());
  center_.Round();
  center_.Round();
  std::set<std::pair<NodeId, int>> kept;
  for (const auto& [id, claim] : center_.cluster().nominations()) {
    EXPECT_TRUE(kept.emplace(claim.members[0].node, claim.members[0].devices[0].index).second);
  }
  EXPECT_EQ(kept.size(), 2U);
  ExpectSound();
}

// Another place may cost more, but breaks no block.
TEST_F(ReclaimTest, AClaimAsksWhereItBreaksNoOwedBlock) {
  center_.SetQuota("acme", {.entitlement = 8});
  center_.SetQuota("gamma", {.entitlement = 8, .block_count = 1});  // one whole node
  const JobId own = Running({.devices = 4, .preemptible = false});
  const NodeId broken = center_.cluster().GetAllocation(center_.GetJob(own).allocations[0]).node;
  const JobId lent = Running({.tenant = "beta", .devices = 4});
  ASSERT_EQ(center_.cluster().GetAllocation(center_.GetJob(lent).allocations[0]).node, broken);
  const JobId claim = center_.Submit({.devices = 4});
  center_.Round();
  EXPECT_EQ(center_.state(lent), JobState::kStopping);
  ASSERT_TRUE(center_.cluster().nominations().contains(claim));
  EXPECT_EQ(center_.cluster().nominations().at(claim).members[0].node, broken);
}

// A job that is over within its notice is counted on as soon as it runs.
TEST_F(ReclaimTest, AClaimIsLookedAtAgainWhenAShortJobHasTakenItsPlace) {
  center_.SetQuota("acme", {.entitlement = 5});
  center_.SetQuota("beta", {.entitlement = 5});
  center_.SetQuota("gamma", {.entitlement = 6});
  Running({.tenant = "gamma", .devices = 6, .preemptible = false, .time_limit = absl::Hours(9)});
  const JobId brief = center_.Submit({.devices = 5,
                                      .time_limit = absl::Minutes(10) + absl::Seconds(20),
                                      .grace = absl::Minutes(10)});
  const JobId claim = center_.Submit({.tenant = "beta", .devices = 5});
  center_.Round();
  ASSERT_EQ(center_.state(brief), JobState::kStarting);
  ASSERT_FALSE(center_.cluster().nominations().contains(claim));
  ASSERT_FALSE(center_.engine().PlanDue());
  center_.RunJob(brief);
  ASSERT_TRUE(center_.engine().PlanDue());
  center_.Round();
  EXPECT_TRUE(center_.cluster().nominations().contains(claim));
}

TEST(Reclaim, ASharedDeviceIsGivenBackOnce) {
  TestCenter center(TestCenter::PatientPolicy());
  center.AddTenant("acme");
  center.AddTenant("beta");
  center.AddNode("n1", 3);
  center.SetQuota("acme", {.entitlement = 2});
  const auto submit = [&center](const char* tenant, int tasks) {
    SubmitJob share;
    share.spec.name = "share";
    share.spec.gang.device_share_milli = 300;
    share.spec.array = {.first = 0, .count = tasks};
    share.device_classes = {"sim"};
    return center.TryAs(center.UserOf(tenant), share)->job;
  };
  const JobId pair = center.Submit({.tenant = "beta", .devices = 2});
  center.Round();
  center.RunJob(pair);
  center.Advance(absl::Minutes(1));
  for (JobId task : center.StartTasks(submit("beta", 3))) {
    center.RunJob(task);
  }
  submit("acme", 2);
  center.Round();
  EXPECT_EQ(center.cluster().nominations().size(), 2U);
}

// A ring may be too small for a claim while a larger one spans what is free of several.
TEST(Reclaim, AClaimThatFitsNoRingSaysNothingAboutALargerOne) {
  TestCluster world;
  const ClassId sim = world.Class("sim");
  NodeFacts facts;
  facts.devices = world.Devices("sim", 5, 3);
  const NodeId node = world.AddNode("n1", std::move(facts));
  world.cluster().PutLimits({world.tenant(0), ProjectId(), sim}, {.entitlement = 5});
  Tenant traverse = *world.cluster().quota().FindTenant(world.tenant(0));
  traverse.queue_preset = QueuePreset::kTraverse;
  world.cluster().PutTenant(traverse);
  const auto at = [&](std::vector<int> indices) {
    Placement member{node, {}};
    for (int index : indices) {
      member.devices.push_back({index, kWholeDeviceMilli, absl::StrCat("SIM-", index)});
    }
    return std::vector<Placement>{member};
  };
  world.StartAt(world.Key(Gang(1, 1)), sim, at({0}), Funding::kOwned);
  const JobId lent = world.StartAt(world.Key(Gang(1, 2), 1), sim, at({1, 2}));
  GangShape three = Gang(1, 3);
  GangShape four = Gang(1, 4);
  three.classes = {sim};
  four.classes = {sim};
  world.Submit(world.Key(three));
  const JobId larger = world.Submit(world.Key(four));
  const Plan plan = MakePlan(world.cluster(), Policy(), world.now());
  ASSERT_EQ(plan.recalls.size(), 1U);
  EXPECT_EQ(plan.recalls.front().claim.job, larger);
  EXPECT_EQ(plan.recalls.front().certificate.candidates.front().job, lent);
}

}  // namespace
}  // namespace berth
