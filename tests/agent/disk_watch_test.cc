#include "agent/disk_watch.h"

#include <string>
#include <vector>

#include "absl/strings/match.h"
#include <gtest/gtest.h>

namespace berth {
namespace {

constexpr int64_t kGib = int64_t{1} << 30;

DiskTask Task(uint64_t id, int64_t bytes, int64_t bytes_max = 0) {
  return {.allocation_id = id, .bytes_max = bytes_max, .order = {}, .bytes = bytes};
}

TEST(JudgeDisk, EndsWhatIsBeyondItsBound) {
  const auto verdicts =
      JudgeDisk({Task(1, 3 * kGib, 3 * kGib), Task(2, 12 * kGib, 10 * kGib), Task(3, 90 * kGib)},
                50 * kGib, kGib);
  ASSERT_EQ(verdicts.size(), 1U);
  EXPECT_EQ(verdicts[0].allocation_id, 2U);
  EXPECT_FALSE(verdicts[0].at_once);
  EXPECT_EQ(verdicts[0].why, "it had 12 GiB on the node's disk, and may have 10 GiB");
}

TEST(JudgeDisk, EndsWhoHasMostWhenTheDiskRunsShort) {
  const auto verdicts = JudgeDisk({Task(1, 3 * kGib), Task(2, 9 * kGib), Task(3, kGib)}, 1, kGib);
  ASSERT_EQ(verdicts.size(), 1U);
  EXPECT_EQ(verdicts[0].allocation_id, 2U);
  EXPECT_TRUE(verdicts[0].at_once);
  EXPECT_TRUE(absl::StrContains(verdicts[0].why, "9.0 GiB")) << verdicts[0].why;
}

// Rule: who is beyond a bound goes before who is not, whatever they have.
TEST(JudgeDisk, EndsNobodyElseBesideThoseBeyondTheirBounds) {
  const auto verdicts = JudgeDisk({Task(1, 2 * kGib, kGib), Task(2, 9 * kGib)}, 1, kGib);
  ASSERT_EQ(verdicts.size(), 1U);
  EXPECT_EQ(verdicts[0].allocation_id, 1U);
  EXPECT_TRUE(verdicts[0].at_once);
}

// Rule: a disk that something else has filled costs no task its life.
TEST(JudgeDisk, EndsNobodyForWhatOthersHave) {
  EXPECT_TRUE(JudgeDisk({Task(1, 1 << 20), Task(2, 2 << 20)}, 1, kGib).empty());
  EXPECT_TRUE(JudgeDisk({}, 1, kGib).empty());
  EXPECT_TRUE(JudgeDisk({Task(1, 100 * kGib)}, 2 * kGib, kGib).empty());
}

TEST(JudgeDisk, TakesWhatCannotBeCountedForTheMost) {
  const auto verdicts = JudgeDisk({Task(1, 3 * kGib), Task(2, kDiskUseHidden)}, 1, kGib);
  ASSERT_EQ(verdicts.size(), 1U);
  EXPECT_EQ(verdicts[0].allocation_id, 2U);
  EXPECT_TRUE(absl::StrContains(verdicts[0].why, "nested too deep")) << verdicts[0].why;
}

}  // namespace
}  // namespace berth
