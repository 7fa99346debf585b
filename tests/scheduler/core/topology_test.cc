// How close together the members of a gang come to stand.

#include <map>
#include <set>

#include <gtest/gtest.h>

#include "tests/testing/test_cluster.h"

namespace berth {
namespace {

// Two pods; in the first, two blocks of 4 nodes in 2 racks; in the second one block of 3 nodes.
class TopologyTest : public testing::Test {
 protected:
  TopologyTest() {
    for (int i = 0; i < 8; ++i) {
      AddNode(absl::StrCat("a", i), {"p0", absl::StrCat("b", i / 4), absl::StrCat("r", i / 2)});
    }
    for (int i = 0; i < 3; ++i) {
      AddNode(absl::StrCat("z", i), {"p1", "b9", "r9"});
    }
  }

  void AddNode(const std::string& name, const TopologyPath& path) { world_.AddNode(name, 8, path); }
  // One on each named node.
  void Occupy(const std::vector<std::string>& names) {
    for (const std::string& name : names) {
      const NodeId node = world_.cluster().FindNodeByName(name)->id;
      const std::string uuid = world_.cluster().GetNode(node).facts.devices[0].uuid;
      world_.StartAt(world_.Key(Gang(1, 1)), sim_,
                     {
                         {node, {{0, kWholeDeviceMilli, uuid}}}
      });
    }
  }
  std::vector<std::string> Place(const GangShape& gang) {
    const GroupKey key = world_.Key(gang);
    why_ = {};
    const auto members = FreeView(world_.cluster()).Place(world_.Request(key, sim_), why_);
    std::vector<std::string> names;
    for (const Placement& member : members.value_or(std::vector<Placement>())) {
      names.push_back(world_.cluster().GetNode(member.node).name);
    }
    return names;
  }
  static GangShape Wish(int nodes, int devices, TopologyLevel level, bool required) {
    GangShape gang = Gang(nodes, devices);
    gang.topology = level;
    gang.topology_required = required;
    return gang;
  }
  using Names = std::vector<std::string>;

  TestCluster world_;
  ClassId sim_ = world_.Class("sim");
  Blocker why_;
};

TEST_F(TopologyTest, TakesTheSmallestBlockThatHoldsTheGang) {
  EXPECT_EQ(Place(Gang(3, 8)), (Names{"z0", "z1", "z2"}));
  EXPECT_EQ(Place(Gang(4, 8)), (Names{"a0", "a1", "a2", "a3"}));
}

TEST_F(TopologyTest, TakesTheSmallestRackInsideTheBlock) {
  Occupy({"a0"});
  EXPECT_EQ(Place(Wish(2, 8, TopologyLevel::kRack, true)), (Names{"a2", "a3"}));
}

TEST_F(TopologyTest, PrefersBrokenBlocksForSmallJobs) {
  Occupy({"a5"});
  EXPECT_EQ(Place(Gang(1, 8)), (Names{"a4"}));
}

TEST_F(TopologyTest, SpansBlocksOnlyWhenNoneHoldsTheGang) {
  EXPECT_EQ(Place(Gang(6, 8)), (Names{"a0", "a1", "a2", "a3", "a4", "a5"}));
  EXPECT_EQ(Place(Wish(6, 8, TopologyLevel::kBlock, false)).size(), 6U);
  EXPECT_EQ(Place(Wish(6, 8, TopologyLevel::kPod, true)).size(), 6U);
  EXPECT_TRUE(Place(Wish(6, 8, TopologyLevel::kBlock, true)).empty());
  EXPECT_EQ(why_.code, ReasonCode::kTopology);
  EXPECT_EQ(why_.have, 4);
}

TEST_F(TopologyTest, AnElasticGangTakesWhatOneBlockHas) {
  GangShape gang = Wish(8, 8, TopologyLevel::kBlock, true);
  gang.min_nodes = 2;
  EXPECT_EQ(Place(gang), (Names{"a0", "a1", "a2", "a3"}));
}

TEST_F(TopologyTest, RanksFollowTheRacks) {
  AddNode("late", {"p0", "b0", "r0"});
  EXPECT_EQ(Place(Wish(5, 8, TopologyLevel::kBlock, true)),
            (Names{"a0", "a1", "late", "a2", "a3"}));
}

TEST_F(TopologyTest, ASmallMemberStaysInsideOneRing) {
  NodeFacts facts;
  facts.devices = world_.Devices("npu", 8, 4);
  const NodeId node = world_.AddNode("n", facts);
  const ClassId npu = world_.Class("npu");
  const auto at = [&](int index) {
    return DeviceShare{index, kWholeDeviceMilli,
                       world_.cluster().GetNode(node).facts.devices.at(index).uuid};
  };
  world_.StartAt(world_.Key(Gang(1, 2)), npu,
                 {
                     {node, {at(0), at(4)}}
  });

  const FreeView view(world_.cluster());
  const GroupKey three = world_.Key(Gang(1, 3));
  const GroupKey four = world_.Key(Gang(1, 4));
  const GroupKey six = world_.Key(Gang(1, 6));
  Blocker why;
  const auto members = view.Place(world_.Request(three, npu), why);
  ASSERT_TRUE(members.has_value());
  EXPECT_EQ(members->front().devices.front().index, 1);
  EXPECT_EQ(members->front().devices.back().index, 3);
  EXPECT_FALSE(view.Place(world_.Request(four, npu), why).has_value());
  EXPECT_EQ(why.code, ReasonCode::kFragmentation);
  EXPECT_TRUE(view.CanPlace(world_.Request(six, npu)));
}

}  // namespace
}  // namespace berth
