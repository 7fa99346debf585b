#include "sim/saturation.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include <gtest/gtest.h>

namespace berth::sim {
namespace {

std::vector<TraceNode> Nodes(int count, int devices) {
  std::vector<TraceNode> nodes;
  for (int i = 0; i < count; ++i) {
    nodes.push_back({absl::StrCat("n", i), 64000, 1000, devices, "T4"});
  }
  return nodes;
}

std::vector<TracePod> Pods(int count, int devices, int milli) {
  return std::vector<TracePod>(static_cast<size_t>(count),
                               TracePod{"p", 1000, 1, devices, milli, ""});
}

SaturationReport Saturate(const std::string& policy, const std::vector<TraceNode>& nodes,
                          const std::vector<TracePod>& pods, uint64_t seed = 1) {
  return Saturation(nodes, pods, *FindPlacementPolicy(policy), seed).Run();
}

TEST(Saturation, NothingDepartsAndWhatDoesNotFitIsDroppedButHasArrived) {
  // 2 x 2 devices; pods of two fill them, the third and fourth do not fit.
  const SaturationReport report = Saturate("best-fit", Nodes(2, 2), Pods(4, 2, 1000));
  EXPECT_EQ(report.placed, 2);
  EXPECT_EQ(report.failed, 2);
  EXPECT_DOUBLE_EQ(report.gpu_alloc_percent, 100);
  EXPECT_DOUBLE_EQ(report.cpu_alloc_percent, 100 * 2000 / 128000.0);
  EXPECT_DOUBLE_EQ(report.alloc_percent_at.at(130), 100) << "200 % arrived";
}

TEST(Saturation, PointsAreTakenWhenTheDemandHasArrived) {
  // Five pods of a fifth of the capacity each: 60 % after the third, 80 % after the fourth.
  const SaturationReport report = Saturate("best-fit", Nodes(5, 1), Pods(5, 1, 1000));
  EXPECT_DOUBLE_EQ(report.alloc_percent_at.at(60), 60);
  EXPECT_DOUBLE_EQ(report.alloc_percent_at.at(80), 80);
  EXPECT_DOUBLE_EQ(report.alloc_percent_at.at(90), 100);
  EXPECT_DOUBLE_EQ(report.alloc_percent_at.at(100), 100);
  EXPECT_EQ(report.alloc_percent_at.count(130), 0u) << "the stream does not get there";
  EXPECT_DOUBLE_EQ(report.frag_percent_at.at(60), 0) << "the typical pod fits all that is idle";
}

TEST(Saturation, AStreamThatEndsJustBeforeAPointReachesIt) {
  // 1297 of 1000 devices is 130 % when rounded, 1294 is not.
  EXPECT_EQ(
      Saturate("gpu-packing", Nodes(1, 1000), Pods(1297, 1, 1000)).alloc_percent_at.count(130), 1u);
  EXPECT_EQ(
      Saturate("gpu-packing", Nodes(1, 1000), Pods(1294, 1, 1000)).alloc_percent_at.count(130), 0u);
}

TEST(Saturation, EqualScoresGoToTheEarliestNode) {
  std::vector<TraceNode> nodes = Nodes(2, 1);
  nodes[1].model = "A10";
  std::vector<TracePod> pods = Pods(2, 1, 1000);
  pods[1].models = "A10";
  // The first pod takes node 0 on equal scores, so the one that needs an A10 still fits.
  EXPECT_EQ(Saturate("best-fit", nodes, pods).placed, 2);
}

TEST(Saturation, TheSeedDecidesRandomChoicesAndNothingElse) {
  std::vector<TracePod> pods = Pods(6, 1, 400);
  const std::vector<TracePod> large = Pods(4, 4, 1000);
  pods.insert(pods.end(), large.begin(), large.end());
  const std::vector<TraceNode> nodes = Nodes(6, 4);
  int64_t fewest = INT64_MAX;
  int64_t most = 0;
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    const int64_t placed = Saturate("random", nodes, pods, seed).placed;
    EXPECT_EQ(placed, Saturate("random", nodes, pods, seed).placed);
    fewest = std::min(fewest, placed);
    most = std::max(most, placed);
    EXPECT_EQ(Saturate("fgd", nodes, pods, seed).placed, Saturate("fgd", nodes, pods, 1).placed);
  }
  EXPECT_LT(fewest, most);
}

}  // namespace
}  // namespace berth::sim
