// T1: owed blocks against an exact search on small trees, and what placement makes of it.

#include "scheduler/core/block_rule.h"

#include <random>

#include <gtest/gtest.h>

#include "tests/testing/exact_blocks.h"
#include "tests/testing/repetitions.h"
#include "tests/testing/test_cluster.h"

namespace berth {
namespace {

TEST(BlockRule, GreedyMatchingIsExactWhereLevelsNest) {
  std::mt19937_64 random(11);
  const auto pick = [&random](int bound) {
    return static_cast<int>(random() % static_cast<uint64_t>(bound));
  };
  constexpr TopologyLevel kLevels[] = {TopologyLevel::kNone, TopologyLevel::kRack,
                                       TopologyLevel::kBlock, TopologyLevel::kPod};
  int contested = 0;
  for (int round = 0; round < Repetitions(4000); ++round) {
    Topology topology;
    std::vector<BlockNode> nodes;
    const int per_rack = 1 + pick(2);
    const int racks = 1 + pick(2);
    const int per_pod = per_rack * racks * (1 + pick(2));
    const int count = per_pod * (1 + pick(2));
    for (int i = 0; i < count; ++i) {
      const NodeId id(static_cast<uint64_t>(i + 1));
      topology.Put(id, {absl::StrCat("p", i / per_pod), absl::StrCat("b", i / (per_rack * racks)),
                        absl::StrCat("r", i / per_rack)});
      nodes.push_back({id, {}});
      for (uint64_t tenant = 1; tenant <= 3; ++tenant) {
        if (pick(6) == 0) {
          nodes.back().holders.push_back(TenantId(tenant));
        }
      }
    }
    const TopologyLevel levels[] = {kLevels[pick(4)], kLevels[pick(4)]};
    std::vector<BlockClaim> claims;
    int owed = 0;
    for (uint64_t tenant = 1; tenant <= 3; ++tenant) {
      claims.push_back({TenantId(tenant), levels[pick(2)], pick(3)});
      owed += claims.back().count;
    }
    std::vector<int> exact;
    int found = 0;
    for (const auto& [level, matched] : ExactMatching(topology, claims, nodes).Run()) {
      exact.push_back(matched);
      found += matched;
    }
    contested += found < owed ? 1 : 0;
    ASSERT_EQ(CountRecoverableBlocks(topology, claims, nodes), exact) << "round " << round;
  }
  EXPECT_GT(contested, Repetitions(500));
}

// Two blocks of two nodes; "beta" is owed one of them.
class OwedBlockTest : public testing::Test {
 protected:
  OwedBlockTest() {
    for (int i = 0; i < 4; ++i) {
      world_.AddNode(absl::StrCat("n", i), 8,
                     {"p", absl::StrCat("b", i / 2), absl::StrCat("r", i)});
    }
    world_.cluster().PutLimits({world_.tenant(0), ProjectId(), sim_}, {.entitlement = 16});
    world_.cluster().PutLimits(
        {world_.tenant(1), ProjectId(), sim_},
        {.entitlement = 16, .block_level = TopologyLevel::kBlock, .block_count = 1});
  }
  std::optional<std::vector<Placement>> Place(const GroupKey& key, Funding funding) {
    Blocker why;
    return FreeView(world_.cluster()).Place(world_.Request(key, sim_, funding), why);
  }
  std::optional<Blocker> Check(const GroupKey& key, Funding funding,
                               const std::vector<Placement>& members) {
    return CheckBlocks(FreeView(world_.cluster()), world_.Request(key, sim_, funding), members);
  }

  TestCluster world_;
  ClassId sim_ = world_.Class("sim");
  const GroupKey small_ = world_.Key(Gang(1, 2));
};

TEST_F(OwedBlockTest, OwnedJobsStayInTheBlockTheirTenantHasBroken) {
  ASSERT_TRUE(world_.Start(small_, sim_, Funding::kOwned));
  const NodeId first = world_.cluster().GetAllocation(AllocationId(1)).node;
  const auto whole = Place(world_.Key(Gang(1, 8)), Funding::kOwned);

  ASSERT_TRUE(whole.has_value());
  EXPECT_NE(whole->front().node, first);
  const Topology& topology = world_.cluster().free_index().topology();
  EXPECT_EQ(topology.DomainOf(TopologyLevel::kBlock, whole->front().node),
            topology.DomainOf(TopologyLevel::kBlock, first));
}

TEST_F(OwedBlockTest, AStartThatBreaksTheLastOwedBlockIsRefusedWithTheNumbers) {
  ASSERT_TRUE(world_.Start(small_, sim_, Funding::kOwned));
  const GroupKey spread = world_.Key(Gang(3, 2));
  const auto members = Place(spread, Funding::kOwned);

  ASSERT_TRUE(members.has_value());
  const auto blocker = Check(spread, Funding::kOwned, *members);
  ASSERT_TRUE(blocker.has_value());
  EXPECT_EQ(blocker->code, ReasonCode::kBlocksOwed);
  EXPECT_EQ(blocker->have, 0);
  EXPECT_EQ(blocker->bound, 1);
  EXPECT_FALSE(Check(spread, Funding::kBorrowed, *members).has_value());
}

TEST_F(OwedBlockTest, TheOwnerItselfMayUseItsBlock) {
  ASSERT_TRUE(world_.Start(small_, sim_, Funding::kOwned));
  const GroupKey own = world_.Key(Gang(2, 8), 1);
  const auto members = Place(own, Funding::kOwned);
  ASSERT_TRUE(members.has_value());
  EXPECT_FALSE(Check(own, Funding::kOwned, *members).has_value());
}

// Two racks of two nodes are owed to "beta": one that it holds, and one that nobody does. The third
// is another's already, so acme's job goes there.
class ThreeRacksTest : public testing::Test {
 protected:
  ThreeRacksTest() {
    for (int i = 0; i < 6; ++i) {
      nodes_.push_back(
          world_.AddNode(absl::StrCat("n", i), 2, {"p", "b", absl::StrCat("r", i / 2)}));
    }
    Tenant third;
    third.name = "third";
    Project project;
    project.name = "default";
    project.tenant = world_.cluster().AddTenant(third);
    holder_.tenant = project.tenant;
    holder_.project = world_.cluster().AddProject(project);
    world_.cluster().PutLimits({world_.tenant(0), ProjectId(), sim_}, {.entitlement = 4});
    world_.cluster().PutLimits(
        {world_.tenant(1), ProjectId(), sim_},
        {.entitlement = 8, .block_level = TopologyLevel::kRack, .block_count = 2});
    Hold(world_.Key(Gang(1, 2), 1), 2);
  }
  void Hold(const GroupKey& key, size_t node) {
    world_.StartAt(key, sim_,
                   {
                       {nodes_.at(node), {{0, kWholeDeviceMilli, "SIM-0"}}}
    },
                   Funding::kOwned);
  }
  std::vector<NodeId> Find(const GangShape& gang) {
    const GroupKey key = world_.Key(gang);
    const PlaceRequest request = world_.Request(key, sim_, Funding::kOwned);
    const FreeView view(world_.cluster());
    Blocker why;
    const auto members = view.Place(request, why);
    std::vector<NodeId> found;
    if (members.has_value() && !CheckBlocks(view, request, *members).has_value()) {
      for (const Placement& member : *members) {
        found.push_back(member.node);
      }
    }
    return found;
  }

  TestCluster world_;
  ClassId sim_ = world_.Class("sim");
  std::vector<NodeId> nodes_;
  GroupKey holder_ = world_.Key(Gang(1, 2));
};

TEST_F(ThreeRacksTest, AJobGoesWhereNobodyWhoIsOwedLosesABlock) {
  Hold(holder_, 5);
  EXPECT_EQ(Find(Gang(1, 2)), std::vector<NodeId>{nodes_[4]});
  EXPECT_TRUE(Find(Gang(2, 2)).empty());
}

TEST_F(ThreeRacksTest, AGangTakesOneWholeBlockThatTheOwnersCanDoWithout) {
  EXPECT_EQ(Find(Gang(2, 2)).size(), 2U);
  EXPECT_TRUE(Find(Gang(3, 2)).empty());
}

TEST_F(ThreeRacksTest, AnElasticGangTakesWhatBreaksNoBlock) {
  GangShape elastic = Gang(3, 2);
  elastic.min_nodes = 1;
  EXPECT_EQ(Find(elastic).size(), 2U);
}

// Of two whole nodes that beta holds it is owed one, and the third tenant the one that it holds.
TEST_F(ThreeRacksTest, AJobGoesToTheOwnerWhoCanSpareABlock) {
  world_.cluster().PutLimits({world_.tenant(1), ProjectId(), sim_},
                             {.entitlement = 8, .block_count = 1});
  world_.cluster().PutLimits({holder_.tenant, ProjectId(), sim_},
                             {.entitlement = 8, .block_count = 1});
  for (const size_t full : {3, 4, 5}) {
    world_.StartAt(
        world_.Key(Gang(1, 2)), sim_,
        {
            {nodes_.at(full), {{0, kWholeDeviceMilli, "SIM-0"}, {1, kWholeDeviceMilli, "SIM-1"}}}
    },
        Funding::kOwned);
  }
  Hold(holder_, 0);
  Hold(world_.Key(Gang(1, 2), 1), 1);
  EXPECT_EQ(Find(Gang(1, 1)).size(), 1U);
}

}  // namespace
}  // namespace berth
