#include "client/rank_set.h"

#include <gtest/gtest.h>

namespace berth {
namespace {

constexpr Option kRank = Value("rank", "LIST", "");

absl::StatusOr<std::vector<int32_t>> Read(const char* text) {
  return RanksOf({.option = &kRank, .text = text, .origin = {}});
}

using Ranks = std::vector<int32_t>;

TEST(RankSet, ReadsNumbersAndSpans) {
  EXPECT_EQ(Read("3").value(), (Ranks{3}));
  EXPECT_EQ(Read("0,5-7").value(), (Ranks{0, 5, 6, 7}));
  EXPECT_EQ(Read("7,5-6,6,0-0").value(), (Ranks{0, 5, 6, 7}));
}

TEST(RankSet, RefusesTheRest) {
  for (const char* text :
       {"", "a", "-1", "1-", "-", "1,,2", "5-3", "1.5", "0-99999999", "+1", "0 1"}) {
    EXPECT_FALSE(Read(text).ok()) << text;
  }
  EXPECT_EQ(Read("-1").status().message(), "--rank: \"-1\" is no rank");
}

TEST(RankSet, FoldsWhatItReads) {
  EXPECT_EQ(FoldRanks({}), "");
  EXPECT_EQ(FoldRanks({4}), "4");
  EXPECT_EQ(FoldRanks({0, 1, 2, 3}), "0-3");
  EXPECT_EQ(FoldRanks({0, 2, 3, 9, 10}), "0,2-3,9-10");
  EXPECT_EQ(Read("0,2-3,9-10").value(), (Ranks{0, 2, 3, 9, 10}));
}

}  // namespace
}  // namespace berth
