// What may be changed of a job that is queued or runs: its spec, another attempt, its size.

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include <gtest/gtest.h>

#include "common/error_detail.h"
#include "tests/testing/test_center.h"

namespace berth {
namespace {

class JobChangeTest : public testing::Test {
 protected:
  void SetUp() override {
    center_.AddTenant("acme");
    for (const char* name : {"n1", "n2", "n3", "n4"}) {
      nodes_.push_back(center_.AddNode(name));
    }
  }
  JobId Running(const TestJob& job) {
    const JobId id = center_.SubmitRunning(job);
    center_.TakeCommands();
    return id;
  }
  const Allocation& Member(JobId job, size_t rank) {
    return center_.cluster().GetAllocation(center_.GetJob(job).allocations.at(rank));
  }
  void Shrink(JobId job, int members) {
    center_.Change([&](const Step& step) {
      ShrinkJob(step, job, members, absl::Minutes(1), "an owner comes back");
    });
  }
  QuotaUse Use() {
    const TenantId acme = center_.cluster().quota().FindTenantByName("acme")->id;
    return center_.cluster().quota().Use({acme, ProjectId(), *center_.cluster().FindClass("sim")});
  }
  void Stay(absl::Duration time) {
    for (absl::Duration gone; gone < time; gone += absl::Seconds(20)) {
      center_.Advance(std::min(absl::Seconds(20), time - gone));
    }
  }
  void ExpectInvariants() {
    const absl::Status status = CheckInvariants(center_.cluster());
    EXPECT_TRUE(status.ok()) << status;
  }

  TestCenter center_{TestCenter::PatientPolicy()};
  std::vector<NodeId> nodes_;
};

TEST_F(JobChangeTest, APendingJobChangesAndTellsWhat) {
  const JobId job = center_.Submit({.nodes = 2});
  const Outcome outcome = center_.Must(UpdateJob{.job = job,
                                                 .time_limit = absl::Hours(2),
                                                 .priority = 5,
                                                 .nodes = 3,
                                                 .devices_per_node = 4,
                                                 .may_borrow = true,
                                                 .name = "renamed"});
  const std::vector<std::string> expected = {"time limit: 1h -> 2h", "priority: 0 -> 5",
                                             "nodes: 2 -> 3", "devices per node: 1 -> 4",
                                             "name: \"job\" -> \"renamed\""};
  ASSERT_GE(outcome.notes.size(), expected.size());
  EXPECT_EQ(std::vector<std::string>(outcome.notes.begin(), outcome.notes.begin() + 5), expected);
  EXPECT_EQ(center_.cluster().GetGroup(center_.GetJob(job).group).key.gang.nodes, 3);
  ExpectInvariants();
}

TEST_F(JobChangeTest, AdmissionLooksAtTheChangedJob) {
  const JobId job = center_.Submit({});
  EXPECT_FALSE(center_.Try(UpdateJob{.job = job, .nodes = 5}).ok());
  EXPECT_FALSE(center_.Try(UpdateJob{.job = job, .nodes = 0}).ok());
  EXPECT_FALSE(center_.Try(UpdateJob{.job = job, .time_limit = absl::Seconds(1)}).ok());
  EXPECT_FALSE(
      center_.Try(UpdateJob{.job = job, .device_classes = std::vector<std::string>{"none"}}).ok());
  EXPECT_EQ(center_.GetJob(job).spec.gang.nodes, 1);
  ExpectInvariants();
}

TEST_F(JobChangeTest, ANodeThatNobodyKnowsIsNotExcluded) {
  SubmitJob submit;
  submit.device_classes = {"sim"};
  submit.spec.gang.devices_per_node = 1;
  submit.spec.gang.excluded_nodes = {"n1", "n11"};
  const absl::Status refused = center_.TryAs(center_.UserOf("acme"), submit).status();
  EXPECT_EQ(refused.message(), "no node \"n11\" to exclude");
  const auto detail = FindDetail(refused);
  ASSERT_TRUE(detail.has_value());
  EXPECT_EQ(detail->code, "B2003");
  EXPECT_EQ(detail->fix, std::vector<std::string>{"did you mean \"n1\"?"});
  submit.spec.gang.excluded_nodes = {"n1"};
  EXPECT_TRUE(center_.TryAs(center_.UserOf("acme"), submit).ok());
}

TEST_F(JobChangeTest, ALabelThatNoNodeHasIsNamed) {
  SubmitJob submit;
  submit.device_classes = {"sim"};
  submit.spec.gang.devices_per_node = 1;
  submit.spec.gang.node_labels["zone"] = "est";
  const auto detail = FindDetail(center_.TryAs(center_.UserOf("acme"), submit).status());
  ASSERT_TRUE(detail.has_value());
  EXPECT_EQ(detail->code, "B3301");
  EXPECT_TRUE(absl::StrContains(detail->why.at(0), "no node has the label zone=est"));
}

TEST_F(JobChangeTest, MemoryThatNoNodeHasIsSetAgainstWhatThereIs) {
  SubmitJob submit;
  submit.device_classes = {"sim"};
  submit.spec.gang.devices_per_node = 1;
  submit.spec.gang.per_node.memory_mib = int64_t{1} << 40;
  const auto detail = FindDetail(center_.TryAs(center_.UserOf("acme"), submit).status());
  ASSERT_TRUE(detail.has_value());
  EXPECT_EQ(detail->code, "B3301");
  EXPECT_TRUE(absl::StrContains(detail->why.at(0), "; no node has more than ")) << detail->why[0];
  EXPECT_TRUE(absl::StrContains(detail->why.at(0), " GiB of memory")) << detail->why[0];
}

TEST_F(JobChangeTest, ARunningJobsLimitCanOnlyShrink) {
  const JobId job = Running({.grace = absl::Minutes(5)});
  EXPECT_FALSE(center_.Try(UpdateJob{.job = job, .priority = 5}).ok());
  EXPECT_FALSE(center_.Try(UpdateJob{.job = job, .time_limit = absl::Hours(2)}).ok());
  center_.Must(UpdateJob{.job = job, .time_limit = absl::Minutes(20)});
  // The shim knows the old limit only: the stop comes from here, with its grace.
  Stay(absl::Minutes(14));
  EXPECT_EQ(center_.state(job), JobState::kRunning);
  center_.TakeCommands();
  Stay(absl::Minutes(2));
  EXPECT_EQ(center_.state(job), JobState::kStopping);
  const auto kills = TestCenter::Of<KillTask>(center_.TakeCommands());
  ASSERT_FALSE(kills.empty());
  EXPECT_EQ(kills[0].reason, StopReason::kTimeLimit);
  EXPECT_EQ(kills[0].grace, absl::Minutes(5));
}

TEST_F(JobChangeTest, ARequeueIsNobodysFailure) {
  const JobId job = Running({
      .requeue = {.on_node_fault = false, .max_requeues = 0}
  });
  EXPECT_FALSE(center_.Try(RequeueRunningJob{center_.Submit({}), ""}).ok());
  center_.Must(RequeueRunningJob{job, "new image"});
  EXPECT_EQ(center_.state(job), JobState::kStopping);
  center_.Report(Member(job, 0).id, ReportKind::kKilled);
  EXPECT_EQ(center_.state(job), JobState::kQueued);
  EXPECT_EQ(center_.GetJob(job).requeues, 0);
  EXPECT_EQ(center_.GetJob(job).attempt.end.message, "requeued by root: new image");
  EXPECT_TRUE(center_.GetJob(job).suspect_nodes.empty());
}

TEST_F(JobChangeTest, ACancelBeatsARequeue) {
  const JobId job = Running({});
  center_.Must(RequeueRunningJob{job, ""});
  center_.Must(CancelJob{job, "", false});
  center_.Report(Member(job, 0).id, ReportKind::kKilled);
  center_.Commit();
  EXPECT_EQ(center_.state(job), JobState::kCancelled);
}

TEST_F(JobChangeTest, ACheckpointGoesForwardOnlyAndIsNeverInTheFuture) {
  const JobId job = Running({});
  const absl::Time started = center_.now();
  center_.Advance(absl::Seconds(10));
  center_.Must(NoteCheckpoint{job, started - absl::Seconds(1)});
  EXPECT_EQ(center_.GetJob(job).attempt.checkpoint_at, absl::InfinitePast());
  center_.Must(NoteCheckpoint{job, started + absl::Seconds(5)});
  center_.Must(NoteCheckpoint{job, started + absl::Seconds(3)});
  EXPECT_EQ(center_.GetJob(job).attempt.checkpoint_at, started + absl::Seconds(5));
  center_.Must(NoteCheckpoint{job, started + absl::Hours(5)});
  EXPECT_EQ(center_.GetJob(job).attempt.checkpoint_at, center_.now());
  EXPECT_FALSE(center_.Try(NoteCheckpoint{center_.Submit({}), center_.now()}).ok());
}

TEST_F(JobChangeTest, TheNodeAtFaultIsSuspected) {
  const JobId job = Running({.devices = 8});
  const NodeId guilty = Member(job, 0).node;
  center_.Report(Member(job, 0).id, ReportKind::kLostShim);
  EXPECT_EQ(center_.GetJob(job).suspect_nodes, std::vector<NodeId>{guilty});
  EXPECT_EQ(center_.cluster().GetGroup(center_.GetJob(job).group).key.suspect_nodes,
            std::vector<NodeId>{guilty});
  ExpectInvariants();
}

TEST_F(JobChangeTest, OnlyTheFirstToFailIsSuspected) {
  const JobId job = Running({.nodes = 2, .devices = 8});
  const NodeId guilty = Member(job, 1).node;
  const AllocationId other = Member(job, 0).id;
  center_.Report(Member(job, 1).id, ReportKind::kLostShim);
  center_.Report(other, ReportKind::kLostShim);
  EXPECT_EQ(center_.GetJob(job).suspect_nodes, std::vector<NodeId>{guilty});
}

TEST_F(JobChangeTest, TheOldestSuspicionIsForgottenWhenNoPlaceWouldBeLeft) {
  const JobId job = Running({.nodes = 4, .devices = 8});
  center_.Report(Member(job, 2).id, ReportKind::kLostShim);
  for (size_t rank : {0, 1, 3}) {
    center_.Report(Member(job, rank).id, ReportKind::kKilled);
  }
  EXPECT_EQ(center_.state(job), JobState::kQueued);
  EXPECT_TRUE(center_.GetJob(job).suspect_nodes.empty());
}

TEST_F(JobChangeTest, ASuspicionGoesWhenTheOtherNodesDo) {
  const JobId job = Running({.devices = 8});
  center_.Report(Member(job, 0).id, ReportKind::kLostShim);
  ASSERT_EQ(center_.GetJob(job).suspect_nodes.size(), 1U);
  for (NodeId node : nodes_) {
    if (node != center_.GetJob(job).suspect_nodes[0]) {
      center_.Must(DrainNode{center_.cluster().GetNode(node).name, "repair"});
    }
  }
  center_.Advance(absl::Seconds(1));
  EXPECT_TRUE(center_.GetJob(job).suspect_nodes.empty());
  ExpectInvariants();
}

TEST_F(JobChangeTest, AShrinkingGangGoesOn) {
  const JobId job = Running({.nodes = 4, .devices = 8, .min_nodes = 2});
  EXPECT_EQ(Use().used(), 32);
  const AllocationId third = Member(job, 2).id;
  const AllocationId fourth = Member(job, 3).id;
  Shrink(job, 3);  // but for its least size
  const auto kills = TestCenter::Of<KillTask>(center_.TakeCommands());
  ASSERT_EQ(kills.size(), 2U);
  EXPECT_EQ(kills[0].allocation, fourth);
  EXPECT_EQ(kills[1].allocation, third);
  EXPECT_EQ(kills[0].reason, StopReason::kShrink);
  EXPECT_EQ(kills[0].grace, absl::Minutes(1));
  ExpectInvariants();
  center_.Report(fourth, ReportKind::kExited, 9);
  center_.Report(third, ReportKind::kKilled);
  EXPECT_EQ(center_.state(job), JobState::kRunning);
  EXPECT_EQ(Use().used(), 16);
  EXPECT_EQ(center_.GetJob(job).attempt.end.reason, EndReason::kNone);
  ExpectInvariants();
  center_.ExitJob(job);
  EXPECT_EQ(center_.state(job), JobState::kSucceeded);
}

TEST_F(JobChangeTest, WhatIsLeftOfABorrowedGangMayBecomeOwned) {
  const JobId job = Running({.nodes = 4, .devices = 8, .min_nodes = 1});
  center_.SetQuota("acme", {.entitlement = 16});
  EXPECT_EQ(center_.GetJob(job).attempt.funding, Funding::kBorrowed);
  Shrink(job, 2);
  center_.Report(Member(job, 3).id, ReportKind::kNeverRan);
  EXPECT_EQ(center_.GetJob(job).attempt.funding, Funding::kBorrowed);
  center_.Report(Member(job, 2).id, ReportKind::kKilled);
  EXPECT_EQ(center_.GetJob(job).attempt.funding, Funding::kOwned);
  ExpectInvariants();
}

TEST_F(JobChangeTest, AStopWhileItShrinksEndsIt) {
  const JobId job = Running({.nodes = 2, .devices = 8, .min_nodes = 1});
  Shrink(job, 1);
  center_.Must(CancelJob{job, "", false});
  center_.Report(Member(job, 0).id, ReportKind::kKilled);
  EXPECT_EQ(center_.state(job), JobState::kStopping);
  center_.Report(Member(job, 1).id, ReportKind::kKilled);
  center_.Commit();
  EXPECT_EQ(center_.state(job), JobState::kCancelled);
}

TEST_F(JobChangeTest, TheLastMemberMayBeTheOneThatIsGivenBack) {
  const JobId job = Running({.nodes = 2, .devices = 8, .min_nodes = 1});
  Shrink(job, 1);
  center_.Report(Member(job, 0).id, ReportKind::kExited, 0);
  EXPECT_EQ(center_.state(job), JobState::kRunning);
  center_.Report(Member(job, 1).id, ReportKind::kKilled);
  center_.Commit();
  EXPECT_EQ(center_.state(job), JobState::kSucceeded);
}

TEST_F(JobChangeTest, AnElasticJobIsAdmittedByItsLeastSize) {
  EXPECT_FALSE(center_.TrySubmit({.nodes = 9, .devices = 8}).ok());
  EXPECT_TRUE(center_.TrySubmit({.nodes = 9, .devices = 8, .min_nodes = 4}).ok());
  EXPECT_FALSE(center_.TrySubmit({.nodes = 9, .devices = 8, .min_nodes = 5}).ok());
  EXPECT_FALSE(center_.TrySubmit({.nodes = 2, .min_nodes = 3}).ok());
}

}  // namespace
}  // namespace berth
