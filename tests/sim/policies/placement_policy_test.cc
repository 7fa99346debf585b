#include "sim/policies/placement_policy.h"

#include <cmath>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace berth::sim {
namespace {

TracePod Pod(int64_t cpu_milli, int devices, int device_milli, const std::string& models = "") {
  return {.name = "p",
          .cpu_milli = cpu_milli,
          .memory_mib = 0,
          .devices = devices,
          .device_milli = device_milli,
          .models = models};
}

TypicalPod Typical(const TracePod& pod, double share) {
  return {PodShape::Of(pod), share};
}

NodeState Node(int64_t cpu_free, std::vector<int> free, const std::string& model = "T4") {
  NodeState node;
  node.model = model;
  node.cpu_free_milli = cpu_free;
  node.device_free_milli = std::move(free);
  return node;
}

NodeScore Score(const std::string& policy, const NodeState& node, const TracePod& pod) {
  Fragmentation fragmentation({});
  return FindPlacementPolicy(policy)->make(fragmentation)->Score(node, PodShape::Of(pod));
}

TEST(NodeState, FitsByCpuMemoryModelAndDevices) {
  NodeState node = Node(1000, {1000, 400, 300});
  node.memory_free_mib = 10;
  EXPECT_TRUE(node.Fits(PodShape::Of(Pod(1000, 1, 400))));
  EXPECT_FALSE(node.Fits(PodShape::Of(Pod(1001, 1, 400)))) << "CPU";
  EXPECT_FALSE(node.Fits(PodShape::Of(Pod(1, 2, 1000)))) << "one whole device is free";
  EXPECT_TRUE(node.Fits(PodShape::Of(Pod(1, 1, 400, "V100|T4"))));
  EXPECT_FALSE(node.Fits(PodShape::Of(Pod(1, 1, 400, "V100")))) << "model";
  EXPECT_TRUE(node.Fits(PodShape::Of(Pod(1, 0, 0, "V100")))) << "no device, no model";
  TracePod pod = Pod(1, 0, 0);
  pod.memory_mib = 11;
  EXPECT_FALSE(node.Fits(PodShape::Of(pod))) << "memory";
}

TEST(NodeState, APodWithoutCpuCountsAsAHundredMilli) {
  EXPECT_EQ(PodShape::Of(Pod(0, 0, 0)).cpu_milli, 100);
}

TEST(NodeState, WholeDevicesAreTheFirstIdleOnesAndASharesDeviceIsTheTightest) {
  NodeState node = Node(1000, {1000, 700, 1000, 400, 400});
  const PodShape share = PodShape::Of(Pod(1, 1, 400));
  EXPECT_EQ(node.TightestDevice(share), 3);
  node.Place(share, 3);
  EXPECT_EQ(node.device_free_milli, (std::vector<int>{1000, 700, 1000, 0, 400}));
  node.Place(PodShape::Of(Pod(1, 2, 1000)), -1);
  EXPECT_EQ(node.device_free_milli, (std::vector<int>{0, 700, 0, 0, 400}));
  EXPECT_EQ(node.cpu_free_milli, 998);
}

TEST(BestFit, ScoresWhatIsLeft) {
  // 100 (1 - .5 x 32000/128000 - .5 x 1500/8000) = 78.125
  EXPECT_EQ(Score("best-fit", Node(64000, {1000, 1000}), Pod(32000, 1, 500)).score, 78);
  EXPECT_EQ(Score("best-fit", Node(64000, {700, 500}), Pod(32000, 1, 500)).device, 1);
}

TEST(DotProduct, ScoresFreeTimesAsked) {
  // 100 (1 - (64000 x 32000 / 128000^2 + 2000 x 500 / 8000^2) / 2) = 92.96875
  EXPECT_EQ(Score("dot-product", Node(64000, {1000, 1000}), Pod(32000, 1, 500)).score, 92);
}

TEST(GpuPacking, DevicesInUseThenNodesInUseThenIdleNodes) {
  const TracePod share = Pod(1, 1, 300);
  EXPECT_EQ(Score("gpu-packing", Node(1000, {1000, 400}), share).score, 96) << "40 % are free";
  EXPECT_EQ(Score("gpu-packing", Node(1000, {1000, 200}), share).score, 49) << "opens one";
  EXPECT_EQ(Score("gpu-packing", Node(1000, {1000, 1000}), share).score, 31) << "an idle node of 2";
  EXPECT_EQ(Score("gpu-packing", Node(1000, {1000, 1000, 1000, 0}), Pod(1, 3, 1000)).score, 47);
  EXPECT_EQ(Score("gpu-packing", Node(1000, {1000, 400}), Pod(1, 0, 0)).score, 0);
}

TEST(GpuClustering, NodesWithPodsThatAskAlikeFirst) {
  const auto score = [](std::vector<TracePod> there) {
    NodeState node = Node(1000, {1000, 1000, 1000, 1000});
    for (const TracePod& pod : there) {
      node.Place(PodShape::Of(pod), 0);
    }
    return Score("gpu-clustering", node, Pod(1, 1, 500)).score;
  };
  // 25 (8000 - left) / 8000 within the tier.
  EXPECT_EQ(score({Pod(1, 1, 200)}), 75 + 13) << "shares only";
  EXPECT_EQ(score({Pod(1, 1, 200), Pod(1, 1, 1000)}), 50 + 16) << "shares among others";
  EXPECT_EQ(score({}), 25 + 12) << "idle";
  EXPECT_EQ(score({Pod(1, 2, 1000)}), 0 + 18) << "others only";
}

TEST(TypicalPods, TheMostFrequentUntilNinetyFivePercent) {
  std::vector<TracePod> pods(10, Pod(1000, 1, 500));
  pods.insert(pods.end(), 9, Pod(2000, 1, 1000));
  pods.push_back(Pod(3000, 0, 0));
  const std::vector<TypicalPod> typical = TypicalPods(pods);
  ASSERT_EQ(typical.size(), 2u) << "19 of 20 are covered";
  EXPECT_EQ(typical[0].shape.device_milli, 500);
  EXPECT_DOUBLE_EQ(typical[0].share, 10 / 19.0);
  EXPECT_DOUBLE_EQ(typical[1].share, 9 / 19.0);
}

TEST(TypicalPods, EquallyFrequentOnesInTheOrderSeen) {
  std::vector<TracePod> pods;
  for (int i = 0; i < 20; ++i) {
    pods.push_back(Pod(1000 - i, 1, 500));
  }
  const std::vector<TypicalPod> typical = TypicalPods(pods);
  ASSERT_EQ(typical.size(), 19u);
  EXPECT_EQ(typical[0].shape.cpu_milli, 1000);
  EXPECT_EQ(typical[18].shape.cpu_milli, 982);
}

// A quarter each: a pod without devices can use none of the 2000 idle; half a device cannot use the
// 400; two whole devices are not there; a wrong model.
TEST(Fragmentation, IsWhatTypicalPodsCannotUse) {
  Fragmentation fragmentation({
      Typical(Pod(100, 0, 0), 0.25),
      Typical(Pod(100, 1, 500), 0.25),
      Typical(Pod(100, 2, 1000), 0.25),
      Typical(Pod(100, 1, 500, "A10"), 0.25),
  });
  const NodeState node = Node(1000, {1000, 600, 400, 0});
  EXPECT_DOUBLE_EQ(fragmentation.Of(node), (2000 + 400 + 2000 + 2000) / 4.0);
  EXPECT_DOUBLE_EQ(fragmentation.Of(Node(99, {1000, 600, 400, 0})), 2000) << "no CPU for any";
  EXPECT_DOUBLE_EQ(fragmentation.Of(Node(1000, {400, 1000, 0, 600}, "A10")),
                   (2000 + 400 + 2000 + 400) / 4.0);
}

TEST(Fgd, TakesTheDeviceWhereFragmentationGrowsLeast) {
  Fragmentation fragmentation({
      Typical(Pod(100, 1, 500), 0.5),
      Typical(Pod(100, 1, 1000), 0.5),
  });
  const auto policy = FindPlacementPolicy("fgd")->make(fragmentation);
  // Before: (0 + 700) / 2. On the whole device: 500 + 700 are left, for whole ones lost:
  // (0 + 1200) / 2. On the other: (200 + 200) / 2.
  const NodeScore score = policy->Score(Node(1000, {1000, 700}), PodShape::Of(Pod(100, 1, 500)));
  EXPECT_EQ(score.device, 1);
  EXPECT_EQ(score.score, static_cast<int>(100 / (1 + std::exp(-(350.0 - 200) / 1000))));
}

TEST(PlacementPolicies, AnUnknownNameIsAnsweredWithTheKnownOnes) {
  EXPECT_EQ(FindPlacementPolicy("first-fit").status().message(),
            "policy \"first-fit\" is not known to saturate; there are berth, fgd, best-fit, "
            "dot-product, gpu-packing, gpu-clustering, random");
}

}  // namespace
}  // namespace berth::sim
