#include "scheduler/core/nominations.h"

#include <gtest/gtest.h>

#include "tests/testing/test_cluster.h"

namespace berth {
namespace {

class NominationsTest : public testing::Test {
 protected:
  void SetUp() override {
    node_ = world_.AddNode("a", 4);
    nodes_.PutNode(world_.cluster().GetNode(node_));
    claim_ = {
        .job = JobId(7),
        .device_class = world_.Class("sim"),
        .members = {{node_, {{0, kWholeDeviceMilli, ""}, {2, kWholeDeviceMilli, ""}}}},
        .host = { 1000,                                                             2000}
    };
  }
  const NodeLoad& Load() const { return nodes_.Load(node_); }

  TestCluster world_;
  FreeIndex nodes_;
  NodeId node_;
  Start claim_;
  Nominations nominations_;
};

TEST_F(NominationsTest, NodesKeepWhatClaimsWillTakeAndNoLonger) {
  Reclaim certificate;
  certificate.claim = claim_.job;
  nominations_.Add(claim_, certificate, nodes_);
  EXPECT_EQ(Load().nominated, DeviceMask{0b101});
  EXPECT_EQ(Load().kept, claim_.host);
  nominations_.SetBroken(claim_.job, true);
  EXPECT_EQ(nominations_.Remove(claim_.job, nodes_).claim, claim_.job);
  EXPECT_EQ(Load().nominated, DeviceMask{0});
  EXPECT_EQ(Load().kept, HostResources());
  EXPECT_TRUE(nominations_.claims().empty() && nominations_.reclaims().empty());
  EXPECT_TRUE(nominations_.broken().empty() && nominations_.waiting().stirred().empty());
}

TEST_F(NominationsTest, ANodeThatIsPutAnewKeepsItAgain) {
  nominations_.Add(claim_, {}, nodes_);
  nominations_.List(claim_.job, {});
  nodes_.PutNode(world_.cluster().GetNode(node_));
  ASSERT_EQ(Load().nominated, DeviceMask{0});
  EXPECT_EQ(nominations_.KeepAgain(node_, nodes_), std::vector<JobId>{claim_.job});
  EXPECT_EQ(Load().nominated, DeviceMask{0b101});
  EXPECT_EQ(Load().kept, claim_.host);
  EXPECT_TRUE(nominations_.waiting().stirred().contains(claim_.job));
}

TEST_F(NominationsTest, DevicesThatOthersGiveBackStirTheClaimsOnTheirNode) {
  nominations_.Add(claim_, {}, nodes_);
  nominations_.List(claim_.job, {});
  Allocation released;
  released.node = node_;
  released.devices = {
      {1, kWholeDeviceMilli, ""}
  };
  nominations_.StirThoseFor(released, nodes_);
  EXPECT_TRUE(nominations_.waiting().stirred().empty());
  released.devices = {
      {2, kWholeDeviceMilli, ""}
  };
  nominations_.StirThoseFor(released, nodes_);
  EXPECT_TRUE(nominations_.waiting().stirred().contains(claim_.job));
}

}  // namespace
}  // namespace berth
