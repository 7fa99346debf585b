// Single members go where what is left stays useful to the jobs that are usually submitted.

#include <gtest/gtest.h>

#include "tests/testing/test_cluster.h"

namespace berth {
namespace {

class FragmentationTest : public testing::Test {
 protected:
  NodeId AddNode(const std::string& name, int devices, int64_t cores,
                 const std::string& device_class = "sim") {
    NodeFacts facts;
    facts.capacity = {1000 * cores, 100000};
    facts.devices = world_.Devices(device_class, devices);
    return world_.AddNode(name, facts);
  }
  GroupKey Key(int devices, int64_t cores, int share = 0) const {
    GangShape gang = Gang(1, devices);
    gang.per_node.cpu_milli = 1000 * cores;
    gang.device_share_milli = share;
    return world_.Key(gang);
  }
  void SubmitUsual(const GroupKey& key) {
    for (int i = 0; i < 10; ++i) {
      world_.Submit(key);
    }
  }
  NodeId Where(const GroupKey& key, ClassId device_class) {
    Blocker why;
    const auto members = FreeView(world_.cluster()).Place(world_.Request(key, device_class), why);
    return members.has_value() ? members->front().node : NodeId();
  }

  TestCluster world_;
  ClassId sim_ = world_.Class("sim");
};

TEST_F(FragmentationTest, CoresThatDevicesNeedAreLeftToThem) {
  AddNode("tight", 8, 8);
  const NodeId roomy = AddNode("roomy", 8, 64);
  SubmitUsual(Key(1, 8));
  EXPECT_EQ(Where(Key(0, 4), ClassId()), roomy);
  EXPECT_EQ(Where(Key(1, 1), sim_), roomy);
}

TEST_F(FragmentationTest, AShareFillsARemainderThatIsTooSmallForTheUsual) {
  AddNode("a", 1, 16);
  const NodeId second = AddNode("b", 1, 16);
  SubmitUsual(Key(1, 1, 500));
  const GroupKey large = Key(1, 1, 700);
  world_.StartAt(large, sim_,
                 {
                     {second, {{0, 700, "SIM-0"}}}
  });
  EXPECT_EQ(Where(Key(1, 1, 300), sim_), second);
}

TEST_F(FragmentationTest, OfSeveralClassesTheCheapestIsTaken) {
  AddNode("tight", 8, 8);
  const NodeId roomy = AddNode("roomy", 8, 64, "other");
  SubmitUsual(Key(1, 8));
  const GroupKey key = Key(1, 1);
  Blocker why;
  const auto place =
      FreeView(world_.cluster())
          .PlaceInAny(world_.Request(key, ClassId()), {sim_, world_.Class("other")}, why);
  ASSERT_TRUE(place.has_value());
  EXPECT_EQ(place->members.front().node, roomy);
}

TEST_F(FragmentationTest, TheCostIsWhatTheUsualJobsCannotUse) {
  const NodeId node = AddNode("a", 4, 16);
  SubmitUsual(Key(1, 5));
  const FreeIndex& index = world_.cluster().free_index();
  const ShapeMix& mix = world_.cluster().shape_mix();
  NodeLoad load = index.Load(node);
  EXPECT_EQ(mix.Cost(index.Site(node), load), 0);
  load.free.cpu_milli = 4000;  // none of them fits any more
  EXPECT_EQ(mix.Cost(index.Site(node), load), 4000 * ShapeMix::kWeightSum);
}

}  // namespace
}  // namespace berth
