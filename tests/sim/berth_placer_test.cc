#include "sim/berth_placer.h"

#include <set>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace berth::sim {
namespace {

PodShape Shape(int64_t cpu_milli, int devices, int device_milli,
               std::set<std::string> models = {}) {
  return {.cpu_milli = cpu_milli,
          .memory_mib = 1,
          .devices = devices,
          .device_milli = device_milli,
          .models = std::move(models)};
}

const std::vector<TraceNode> kNodes = {
    {"a", 8000,  1000, 4, "T4"  },
    {"b", 8000,  1000, 2, "P100"},
    {"c", 64000, 1000, 0, ""    },
};

TEST(BerthPlacer, WholeDevicesAreNeverGivenTwice) {
  const PodPlacer place = BerthPlacer(kNodes);
  std::set<std::pair<int, int>> taken;
  for (int pod = 0; pod < 3; ++pod) {
    const PodPlace found = place(Shape(100, 2, 1000));
    ASSERT_GE(found.node, 0);
    ASSERT_EQ(found.devices.size(), 2u);
    for (const int device : found.devices) {
      EXPECT_TRUE(taken.emplace(found.node, device).second);
    }
  }
  EXPECT_EQ(place(Shape(100, 1, 1000)).node, -1);
}

TEST(BerthPlacer, SharesLieOnOneDeviceUntilItIsFull) {
  const PodPlacer place = BerthPlacer(kNodes);
  const PodPlace first = place(Shape(100, 1, 500, {"T4"}));
  const PodPlace second = place(Shape(100, 1, 500, {"T4"}));
  const PodPlace third = place(Shape(100, 1, 500, {"T4"}));
  EXPECT_EQ(first.node, 0);
  EXPECT_EQ(second.devices, first.devices);
  EXPECT_NE(third.devices, first.devices);
}

TEST(BerthPlacer, ModelsCoresAndPodsWithoutDevicesCount) {
  const PodPlacer place = BerthPlacer(kNodes);
  EXPECT_EQ(place(Shape(100, 1, 1000, {"A100"})).node, -1);
  EXPECT_EQ(place(Shape(100, 1, 1000, {"P100"})).node, 1);
  EXPECT_EQ(place(Shape(9000, 1, 1000)).node, -1) << "no node with devices has so many cores";
  EXPECT_EQ(place(Shape(9000, 0, 0)).node, 2);
}

}  // namespace
}  // namespace berth::sim
