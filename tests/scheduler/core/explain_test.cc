#include "scheduler/core/explain.h"

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include <gtest/gtest.h>

#include "tests/testing/test_center.h"

namespace berth {
namespace {

// Three nodes of 8; acme owns half of them.
class ExplainTest : public testing::Test {
 protected:
  void SetUp() override {
    for (const char* tenant : {"acme", "beta"}) {
      center_.AddTenant(tenant);
    }
    for (const char* node : {"n1", "n2", "n3"}) {
      nodes_.push_back(center_.AddNode(node));
    }
    center_.SetQuota("acme", {.entitlement = 12});
    center_.SetQuota("beta", {.entitlement = 12});
  }
  JobId Running(const TestJob& job) { return center_.SubmitRunning(job); }
  JobId Waiting(const TestJob& job) {
    const JobId id = center_.Submit(job);
    center_.Round();
    EXPECT_NE(center_.cluster().FindJob(id), nullptr);
    return id;
  }
  Explanation ExplainIt(JobId id) {
    return Explain(center_.cluster(), center_.engine().policy(), id, center_.now());
  }
  static std::vector<ReasonCode> CodesOf(const Explanation& explanation) {
    std::vector<ReasonCode> codes;
    for (const ExplainedBlocker& blocker : explanation.blockers) {
      codes.push_back(blocker.blocker.code);
    }
    return codes;
  }
  static std::map<NodeStanding, int64_t> CountsOf(const Explanation& explanation) {
    std::map<NodeStanding, int64_t> counts;
    for (const NodePart& part : explanation.parts) {
      counts[part.standing] = part.nodes;
    }
    return counts;
  }

  TestCenter center_{TestCenter::PatientPolicy()};
  std::vector<NodeId> nodes_;
};

using Codes = std::vector<ReasonCode>;

TEST_F(ExplainTest, EveryConstraintIsListedNotOnlyTheFirst) {
  Running({.nodes = 2, .devices = 8});
  const JobId id = Waiting({.nodes = 2, .devices = 8, .hold = true});
  center_.SetQuota("acme", {.entitlement = 12, .limit = 20});
  const Explanation explanation = ExplainIt(id);
  EXPECT_FALSE(explanation.starts_now);
  EXPECT_EQ(CodesOf(explanation),
            (Codes{ReasonCode::kHeld, ReasonCode::kTenantLimit, ReasonCode::kDevicesBusy}));
  EXPECT_EQ(explanation.blockers[1].sentence,
            "tenant \"acme\" may hold 20 sim, uses 16, job asks 16");
}

TEST_F(ExplainTest, NodesAreCountedOnceByTheirFirstReason) {
  Running({.devices = 8});
  Running({.devices = 3});
  center_.Must(DrainNode{"n3", "repair"});
  const JobId id = Waiting({.devices = 6});
  const Explanation explanation = ExplainIt(id);
  EXPECT_EQ(explanation.pool_nodes, 3);
  EXPECT_EQ(
      CountsOf(explanation),
      (std::map<NodeStanding, int64_t>{
          {NodeStanding::kOut,        1},
          {NodeStanding::kBusy,       1},
          {NodeStanding::kPartlyBusy, 1}
  }));
  EXPECT_EQ(CodesOf(explanation), (Codes{ReasonCode::kDevicesBusy}));
  ASSERT_EQ(explanation.parts.back().named.size(), 1u);
  EXPECT_EQ(explanation.parts.back().named[0].free_devices, 5);
}

TEST_F(ExplainTest, ANodeLeftOutByNameIsNotSaidToLackALabel) {
  Running({.nodes = 2, .devices = 8});
  const JobId id = Waiting({.nodes = 2, .devices = 8});
  center_.Change([id](const Step& step) {
    JobSpec spec = step.cluster.GetJob(id).spec;
    spec.gang.excluded_nodes = {"n3"};
    step.cluster.SetSpec(id, std::move(spec));
  });
  EXPECT_EQ(CountsOf(ExplainIt(id)), (std::map<NodeStanding, int64_t>{
                                         {NodeStanding::kExcluded, 1},
                                         {NodeStanding::kBusy,     2}
  }));
}

TEST_F(ExplainTest, AnElasticGangIsSaidToNeedItsLeast) {
  center_.SetQuota("acme", {.entitlement = 12, .limit = 20});
  Running({.nodes = 2, .devices = 8});
  const JobId id = Waiting({.nodes = 3, .devices = 8, .min_nodes = 2});
  const Explanation explanation = ExplainIt(id);
  ASSERT_EQ(CodesOf(explanation), (Codes{ReasonCode::kTenantLimit, ReasonCode::kDevicesBusy}));
  EXPECT_EQ(explanation.blockers[0].sentence,
            "tenant \"acme\" may hold 20 sim, uses 16, job asks at least 16");
  EXPECT_EQ(explanation.blockers[1].sentence,
            "needs at least 2 nodes with 8 sim each; 8 of 24 are free");
}

// Whatever else holds the job: that no rack has enough nodes is not seen by waiting.
TEST_F(ExplainTest, NodesThatAreNeverCloseEnoughAreAReasonBesideBusyOnes) {
  for (NodeId node : nodes_) {
    center_.Change([node](const Step& step) {
      NodeFacts facts = step.cluster.GetNode(node).facts;
      facts.topology = {"pod", "block", absl::StrCat("rack-", node.value())};
      step.cluster.PutFacts(node, std::move(facts));
    });
  }
  Running({.nodes = 3, .devices = 8});
  const JobId id = Waiting({.nodes = 2, .devices = 8});
  center_.Change([id](const Step& step) {
    JobSpec spec = step.cluster.GetJob(id).spec;
    spec.gang.topology = TopologyLevel::kRack;
    spec.gang.topology_required = true;
    step.cluster.SetSpec(id, std::move(spec));
  });
  const Explanation explanation = ExplainIt(id);
  ASSERT_EQ(CodesOf(explanation), (Codes{ReasonCode::kTopology, ReasonCode::kDevicesBusy}));
  EXPECT_EQ(explanation.blockers[0].sentence,
            "needs 2 nodes with 8 sim each in one rack; the best has 1 such nodes");
}

TEST_F(ExplainTest, WhatARecallDoesNotSolveIsListedBesideIt) {
  Running({.tenant = "beta", .nodes = 3, .devices = 8});
  const JobId id = Waiting({.devices = 8});
  EXPECT_EQ(CodesOf(ExplainIt(id)), (Codes{ReasonCode::kRecalling}));
  center_.SetQuota("acme", {.entitlement = 4, .limit = 4});
  EXPECT_EQ(CodesOf(ExplainIt(id)), (Codes{ReasonCode::kTenantLimit, ReasonCode::kRecalling}));
}

// Nobody is asked for anything yet.
TEST_F(ExplainTest, OfAHeldJobARecallIsOnlyForeseen) {
  Running({.tenant = "beta", .nodes = 3, .devices = 8});
  const JobId id = Waiting({.devices = 8, .hold = true});
  const Explanation explanation = ExplainIt(id);
  ASSERT_EQ(CodesOf(explanation), (Codes{ReasonCode::kHeld, ReasonCode::kRecalling}));
  const std::string& message = explanation.blockers[1].sentence;
  EXPECT_NE(message.find("8 sim would be given back for it, within"), std::string::npos) << message;
}

// It borrows nothing, nor can it be recalled.
TEST_F(ExplainTest, NoNoteSaysThatAJobBorrowsThatMayNot) {
  center_.SetQuota("acme", {.entitlement = 24});
  Running({.devices = 8});
  const auto says_so = [this](const TestJob& job) {
    const std::vector<std::string> notes = ExplainIt(Waiting(job)).notes;
    return std::any_of(notes.begin(), notes.end(), [](const std::string& note) {
      return note.find("can be recalled") != std::string::npos;
    });
  };
  EXPECT_FALSE(says_so({.nodes = 3, .devices = 8, .may_borrow = false}));
  EXPECT_FALSE(says_so({.nodes = 3, .devices = 8, .preemptible = false}));
  EXPECT_TRUE(says_so({.nodes = 3, .devices = 8}));
}

// Its least is within what acme owns.
TEST_F(ExplainTest, ANoteSaysWhatAnElasticGangKeepsAndWhatItBorrows) {
  Running({.tenant = "beta", .nodes = 3, .devices = 8});
  EXPECT_EQ(
      ExplainIt(Waiting({.nodes = 3, .devices = 8, .min_nodes = 1})).notes,
      std::vector<std::string>{"needs 8 to 24, you own 12: on more than that it is borrowed, and "
                               "with 5m notice shrinks to 8, then is recalled as a whole"});
  const std::vector<std::string> notes =
      ExplainIt(Waiting({.nodes = 3, .devices = 8, .min_nodes = 2})).notes;
  ASSERT_EQ(notes.size(), 2U);
  EXPECT_EQ(
      notes[1],
      "tenant \"acme\" owns 12 sim and would use at least 16: 4 are borrowed, and the job can be "
      "recalled with 5m notice");
}

TEST_F(ExplainTest, AShortfallIsNotedOnlyWhereThereIsOne) {
  const auto notes_of_it = [this] {
    const std::vector<std::string> notes = ExplainIt(Waiting({.nodes = 3, .devices = 8})).notes;
    return std::count_if(notes.begin(), notes.end(), [](const std::string& note) {
      return note.find("the tenant's share is") != std::string::npos;
    });
  };
  Running({.devices = 8});
  EXPECT_EQ(notes_of_it(), 0);
  center_.SetQuota("beta", {.entitlement = 24});
  Waiting({.tenant = "beta", .nodes = 3, .devices = 8});
  EXPECT_EQ(notes_of_it(), 1);
}

TEST_F(ExplainTest, WhatIsBeingRecalledForAClaimUsesItsTenantsQuota) {
  center_.SetQuota("acme", {.entitlement = 8, .limit = 8});
  Running({.tenant = "beta", .nodes = 3, .devices = 8});
  Waiting({.devices = 8});
  const Explanation explanation = ExplainIt(Waiting({.devices = 1}));
  EXPECT_EQ(CodesOf(explanation), (Codes{ReasonCode::kTenantLimit, ReasonCode::kDevicesBusy}));
  EXPECT_EQ(explanation.blockers[0].blocker.have, 8);
}

TEST_F(ExplainTest, OwedBlocksAreAReasonBesideBusyDevices) {
  center_.SetQuota("beta", {.entitlement = 24, .block_count = 3});
  Running({.tenant = "beta", .nodes = 3, .devices = 8});
  EXPECT_EQ(CodesOf(ExplainIt(Waiting({.devices = 8}))),
            (Codes{ReasonCode::kBlocksOwed, ReasonCode::kDevicesBusy}));
}

TEST_F(ExplainTest, TheLikelyStartFollowsTheLongestPath) {
  Running({.nodes = 3, .devices = 8, .time_limit = absl::Hours(2)});
  Waiting({.nodes = 3, .devices = 8, .time_limit = absl::Hours(1)});
  const Forecast forecast =
      ExplainIt(Waiting({.nodes = 3, .devices = 8, .time_limit = absl::Hours(1)})).forecast;
  EXPECT_EQ(forecast.latest, center_.now() + absl::Hours(3));
  EXPECT_EQ(forecast.likely_from, center_.now() + absl::Hours(3) * 0.6);
  EXPECT_EQ(forecast.likely_to, center_.now() + absl::Hours(3) * 0.8);
}

TEST_F(ExplainTest, AJobWithoutDevicesAsksForNodes) {
  for (const char* node : {"n2", "n3"}) {
    center_.Must(DrainNode{node, "repair"});
  }
  const Explanation explanation = ExplainIt(Waiting({.nodes = 2, .devices = 0}));
  EXPECT_EQ(explanation.pool_nodes, 3);
  ASSERT_EQ(CodesOf(explanation), (Codes{ReasonCode::kNoNodes}));
  EXPECT_EQ(explanation.blockers[0].sentence,
            "needs 2 nodes, ready and allowed for it; 1 nodes are");
}

TEST_F(ExplainTest, TheForecastWaitsForWhatHoldsThePlaces) {
  Running({.devices = 8, .time_limit = absl::Hours(5)});
  const JobId soon = Running({.devices = 8, .time_limit = absl::Hours(2)});
  Running({.tenant = "beta", .devices = 8, .time_limit = absl::Hours(9)});
  const Forecast forecast = ExplainIt(Waiting({.devices = 8})).forecast;
  EXPECT_EQ(forecast.state, ForecastState::kLater);
  EXPECT_EQ(forecast.latest, center_.now() + absl::Hours(2));
  EXPECT_EQ(forecast.likely_from, center_.now() + absl::Hours(2) * 0.6);
  EXPECT_EQ(forecast.likely_to, center_.now() + absl::Hours(2) * 0.8);
  ASSERT_EQ(forecast.waits_for.size(), 1u);
  EXPECT_EQ(forecast.waits_for[0].job, soon);
  EXPECT_EQ(forecast.waits_for[0].nodes, std::vector<NodeId>{nodes_[1]});
}

// What waits for devices of another class only is no part of the forecast, but its tasks run there.
TEST_F(ExplainTest, ATaskMayEndBeforeTheRestOfItsArrayIsLookedAt) {
  center_.AddNode("n4", 8, "other");
  center_.SetQuota("acme", {.entitlement = 8}, "other");
  const JobId array = center_.Submit({.devices = 8, .classes = {"other"}, .array = {.count = 2}});
  ASSERT_EQ(center_.StartTasks(array).size(), 1u);
  for (int node = 0; node < 3; ++node) {
    Running({.devices = 8, .time_limit = absl::Hours(5)});
  }
  const Forecast forecast = ExplainIt(Waiting({.devices = 8})).forecast;
  EXPECT_EQ(forecast.state, ForecastState::kLater);
  EXPECT_EQ(forecast.latest, center_.now() + absl::Hours(5));
}

TEST_F(ExplainTest, OffersWhatStartsNow) {
  Running({.devices = 4});
  const JobId id = Waiting({.nodes = 3, .devices = 8});
  const Explanation explanation = ExplainIt(id);
  EXPECT_EQ(CodesOf(explanation), (Codes{ReasonCode::kDevicesBusy}));
  ASSERT_GE(explanation.advice.size(), 1u);
  EXPECT_EQ(explanation.advice[0].option, "--nodes 2");
  EXPECT_EQ(explanation.advice[0].promise.verdict, Verdict::kStartsNow);
}

TEST_F(ExplainTest, AJobThatDoesNotExistYetIsExplainedToo) {
  Running({.devices = 8, .time_limit = absl::Hours(3)});
  SubmitJob submit;
  submit.spec.gang.nodes = 3;
  submit.spec.gang.devices_per_node = 8;
  submit.spec.time_limit = absl::Hours(1);
  submit.device_classes = {"sim"};
  const auto plan = ExplainSubmission(center_.cluster(), center_.engine().policy(),
                                      {center_.UserOf("beta"), submit}, center_.now());
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_FALSE(plan->explanation.starts_now);
  EXPECT_EQ(plan->explanation.forecast.latest, center_.now() + absl::Hours(3));
  submit.spec.gang.nodes = 4;
  EXPECT_FALSE(ExplainSubmission(center_.cluster(), center_.engine().policy(),
                                 {center_.UserOf("beta"), submit}, center_.now())
                   .ok());
}

TEST_F(ExplainTest, AChangeIsTriedWithoutBeingMade) {
  Running({.devices = 4});
  const JobId id = Waiting({.nodes = 3, .devices = 8});
  const auto what_if = [&](const char* user, UpdateJob change) {
    change.job = id;
    return ExplainChange(center_.cluster(), center_.engine().policy(),
                         {center_.UserOf(user), change}, center_.now());
  };
  const auto fewer = what_if("acme", {.nodes = 2});
  ASSERT_TRUE(fewer.ok()) << fewer.status();
  EXPECT_TRUE(fewer->starts_now);
  const auto shorter = what_if("acme", {.time_limit = absl::Minutes(10)});
  ASSERT_TRUE(shorter.ok()) << shorter.status();
  EXPECT_FALSE(shorter->starts_now);
  EXPECT_EQ(CodesOf(*shorter), (Codes{ReasonCode::kDevicesBusy}));
  EXPECT_FALSE(what_if("acme", {.nodes = 4000}).ok());
  EXPECT_FALSE(what_if("beta", {.nodes = 2}).ok());  // another tenant's user
  EXPECT_EQ(center_.cluster().GetJob(id).spec.gang.nodes, 3);
  EXPECT_EQ(CodesOf(ExplainIt(id)), (Codes{ReasonCode::kDevicesBusy}));
}

TEST_F(ExplainTest, ARunningJobKnowsWhoMayRecallIt) {
  const JobId id = Running({.nodes = 2, .devices = 8});
  const Explanation explanation = ExplainIt(id);
  ASSERT_TRUE(explanation.holding.has_value());
  EXPECT_EQ(explanation.holding->funding, Funding::kBorrowed);
  EXPECT_TRUE(explanation.holding->for_owners);
  EXPECT_EQ(explanation.holding->nodes.size(), 2u);
}

TEST_F(ExplainTest, AShareBesideOthersNeedsNothingOfTheQuota) {
  center_.Must(SetTenantQueue{"acme", QueuePreset::kFifo, absl::Hours(1)});
  const auto share = [this] {
    SubmitJob submit;
    submit.spec.name = "share";
    submit.spec.gang.device_share_milli = 300;
    submit.device_classes = {"sim"};
    return center_.TryAs(center_.UserOf("acme"), submit)->job;
  };
  share();
  center_.Round();
  const JobId head = Waiting({.nodes = 3, .devices = 8, .hold = true});
  center_.SetQuota("acme", {.entitlement = 1, .limit = 1});
  center_.Must(ReleaseJob{head});
  const JobId id = share();
  center_.Round();
  EXPECT_EQ(CodesOf(ExplainIt(id)), Codes{ReasonCode::kQueueHead});
}

}  // namespace
}  // namespace berth
