#include "sim/device_pool.h"

#include <optional>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "sim/random.h"

namespace berth::sim {
namespace {

TEST(DevicePool, AJobGoesToTheFullestNodeItFitsTheFirstOfThose) {
  DevicePool pool({8, 8, 8, 8});
  pool.Take({
      {1, 5},
      {2, 5},
      {3, 7}
  });
  EXPECT_EQ(pool.Find(2), (Grant{
                              {1, 2}
  }));
  EXPECT_EQ(pool.Find(4), (Grant{
                              {0, 4}
  }));
  EXPECT_EQ(pool.free(), 32 - 17);
}

TEST(DevicePool, ALargerJobTakesWholeIdleNodesAndForTheRestTheFullest) {
  DevicePool pool({8, 4, 8, 8});
  pool.Take({
      {0, 1}
  });
  EXPECT_EQ(pool.Find(16), (Grant{
                               {2, 8},
                               {3, 8}
  }));
  EXPECT_EQ(pool.Find(19), (Grant{
                               {2, 8},
                               {3, 8},
                               {1, 3}
  }));
  EXPECT_EQ(pool.Find(23), (Grant{
                               {2, 8},
                               {3, 8},
                               {1, 4},
                               {0, 3}
  }));
  EXPECT_FALSE(pool.Find(28).has_value()) << "7 are free on node 0, but 8 are left after the rest";
}

TEST(DevicePool, CouldHoldLooksAtTheIdlePool) {
  DevicePool pool({8, 8});
  pool.Take({
      {0, 8},
      {1, 1}
  });
  EXPECT_FALSE(pool.Find(8).has_value());
  EXPECT_TRUE(pool.CouldHold(16));
  EXPECT_FALSE(pool.CouldHold(17));
}

// The index of small nodes finds what a look at every node finds, as it must where nodes are large.
TEST(DevicePool, SmallAndLargeNodesFollowTheSameRule) {
  Random random(3);
  constexpr int kNodes = 130;
  DevicePool small(std::vector<int64_t>(kNodes, 8));
  DevicePool large(std::vector<int64_t>(kNodes, 8000));
  std::vector<std::pair<Grant, Grant>> grants;
  for (int step = 0; step < 5000; ++step) {
    if (random.Below(3) == 0 && !grants.empty()) {
      const auto entry = grants.begin() + random.Below(static_cast<int64_t>(grants.size()));
      small.Give(entry->first);
      large.Give(entry->second);
      grants.erase(entry);
      continue;
    }
    const int64_t devices = 1 + random.Below(20);
    const std::optional<Grant> found = small.Find(devices);
    std::optional<Grant> expected = large.Find(devices * 1000);
    ASSERT_EQ(found.has_value(), expected.has_value());
    if (!found.has_value()) {
      continue;
    }
    small.Take(*found);
    large.Take(*expected);
    grants.emplace_back(*found, *expected);
    for (auto& [node, count] : *expected) {
      count /= 1000;
    }
    ASSERT_EQ(*found, *expected);
  }
}

TEST(DevicePool, GivingBackRestoresAndIntersectTakesTheSmaller) {
  DevicePool pool({8, 8});
  pool.Take({
      {0, 3}
  });
  DevicePool other({8, 8});
  other.Take({
      {1, 6}
  });
  DevicePool common = pool;
  common.Intersect(other);
  EXPECT_EQ(common.free(), 5 + 2);
  EXPECT_EQ(common.Find(5), (Grant{
                                {0, 5}
  }));
  pool.Give({
      {0, 3}
  });
  EXPECT_EQ(pool.free(), pool.capacity());
}

}  // namespace
}  // namespace berth::sim
