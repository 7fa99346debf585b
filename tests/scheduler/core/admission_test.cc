#include "scheduler/core/admission.h"

#include <gtest/gtest.h>

#include "common/error_detail.h"
#include "tests/testing/test_cluster.h"

namespace berth {
namespace {

// Two racks of three and two nodes in one block, and a node that nobody has named a place of.
class AdmissionTest : public testing::Test {
 protected:
  void SetUp() override {
    for (const char* name : {"a0", "a1", "a2"}) {
      large_.push_back(world_.AddNode(name, 8, {"pod", "block", "a"}));
    }
    small_ = world_.AddNode("b0", 8, {"pod", "block", "b"});
    world_.AddNode("b1", 4, {"pod", "block", "b"});
    world_.AddNode("nowhere", 8);
  }
  static GangShape Close(GangShape gang, TopologyLevel level, bool required = true) {
    gang.topology = level;
    gang.topology_required = required;
    return gang;
  }
  JobSpec Spec(GangShape gang) const {
    JobSpec spec;
    spec.tenant = world_.tenant();
    spec.project = world_.Key(gang).project;
    spec.gang = std::move(gang);
    return spec;
  }
  absl::Status Check(GangShape gang) const {
    return CheckAdmission(world_.cluster(), Spec(std::move(gang)));
  }

  TestCluster world_;
  std::vector<NodeId> large_;
  NodeId small_;
};

TEST_F(AdmissionTest, AGangThatNoRackHoldsIsRefusedWithTheBound) {
  EXPECT_TRUE(Check(Close(Gang(3, 8), TopologyLevel::kRack)).ok());
  EXPECT_TRUE(Check(Close(Gang(5, 4), TopologyLevel::kBlock)).ok());
  EXPECT_TRUE(Check(Close(Gang(6, 4), TopologyLevel::kRack, false)).ok());
  const absl::Status never = Check(Close(Gang(4, 8), TopologyLevel::kRack));
  EXPECT_EQ(never.message(),
            "job asks for 4 nodes x 8 sim in one rack, but no rack has more than 3 such nodes");
  const auto detail = FindDetail(never);
  ASSERT_TRUE(detail.has_value());
  EXPECT_EQ(detail->code, "B3303");
  EXPECT_TRUE(detail->refused_by_entitlement);
  EXPECT_EQ(detail->fix[0], "ask for 3 nodes or fewer, or only prefer it: --topology same-rack");
}

TEST_F(AdmissionTest, OnlyNodesThatSuitTheGangCountForItsRack) {
  GangShape gang = Close(Gang(3, 8), TopologyLevel::kRack);
  gang.excluded_nodes = {"a1"};
  EXPECT_EQ(FindDetail(Check(gang))->code, "B3303");
  gang.nodes = 2;
  EXPECT_TRUE(Check(gang).ok());
  gang.excluded_nodes = {"a0", "a1"};
  EXPECT_EQ(FindDetail(Check(gang))->code, "B3303") << "b1 has too few devices, nowhere no rack";
}

TEST_F(AdmissionTest, AnElasticGangNeedsARackForItsLeast) {
  GangShape gang = Close(Gang(6, 4), TopologyLevel::kRack);
  gang.min_nodes = 3;
  EXPECT_TRUE(Check(gang).ok());
  gang.min_nodes = 4;
  EXPECT_EQ(FindDetail(Check(gang))->code, "B3303");
}

TEST_F(AdmissionTest, AGangWithoutDevicesIsHeldToItsRackToo) {
  EXPECT_EQ(Check(Close(Gang(4, 0), TopologyLevel::kRack)).message(),
            "job asks for 4 nodes in one rack, but no rack has more than 3 such nodes");
  const GroupKey key = world_.Key(Close(Gang(2, 0), TopologyLevel::kRack));
  world_.StartAt(world_.Key(Gang(1, 0)), ClassId(),
                 {
                     {large_[0], {}}
  });
  Blocker why;
  const auto members =
      FreeView(world_.cluster()).Place(world_.Request(key, ClassId(), Funding::kNone), why);
  ASSERT_TRUE(members.has_value());
  EXPECT_EQ(members->front().node, small_);
}

TEST_F(AdmissionTest, AMemberThatNoRingHoldsIsRefused) {
  NodeFacts facts;
  facts.devices = world_.Devices("npu", 8, 4);
  world_.AddNode("n", facts);
  GangShape gang = Close(Gang(1, 4), TopologyLevel::kRing);
  gang.classes = {world_.Class("npu")};
  EXPECT_TRUE(Check(gang).ok());
  gang.devices_per_node = 6;
  EXPECT_EQ(Check(gang).message(),
            "job asks for 1 node x 6 npu in one ring, but the center has 0 such nodes");
  gang.topology_required = false;
  EXPECT_TRUE(Check(gang).ok());
}

// Else a gang would wait for a node that it avoids, although the center has no other rack for it.
TEST_F(AdmissionTest, APlaceWithoutSuspectsIsCloseEnoughTogether) {
  const JobSpec spec = Spec(Close(Gang(3, 8), TopologyLevel::kRack));
  EXPECT_TRUE(HasPlaceWithout(world_.cluster(), spec, {small_}));
  EXPECT_FALSE(HasPlaceWithout(world_.cluster(), spec, {large_[1]}));
}

}  // namespace
}  // namespace berth
