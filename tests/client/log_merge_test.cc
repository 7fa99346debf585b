// Merge and collapse, by example and over random logs: BERTH_TEST_SEED=N runs one of them again.

#include "client/log_merge.h"

#include <algorithm>
#include <cstdlib>
#include <map>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include <gtest/gtest.h>

#include "client/log_collapse.h"

namespace berth {
namespace {

const absl::Time kNow = absl::FromUnixSeconds(1'790'000'000);
constexpr absl::Duration kPatience = absl::Milliseconds(500);
constexpr int kSeeds = 300;

LogLine Line(int32_t rank, int64_t at_us, const std::string& text) {
  return {.rank = rank, .at_us = at_us, .text = text};
}

std::string TakeText(LogMerge& merge, absl::Time now) {
  const auto line = merge.Take(now);
  return line.has_value() ? line->text : "-";
}

TEST(LogMerge, GoesByTime) {
  LogMerge merge(2, absl::InfiniteDuration(), kNow);
  merge.Add(0, {Line(0, 10, "a"), Line(0, 30, "c")}, kNow);
  EXPECT_EQ(TakeText(merge, kNow), "-");  // log 1 may have an earlier one
  merge.Add(1, {Line(1, 20, "b")}, kNow);
  EXPECT_EQ(TakeText(merge, kNow), "a");
  EXPECT_EQ(TakeText(merge, kNow), "b");
  EXPECT_TRUE(merge.IsAwaited(1));
  EXPECT_EQ(TakeText(merge, kNow), "-");
  merge.End(1);
  EXPECT_EQ(TakeText(merge, kNow), "c");
  EXPECT_EQ(merge.NextTime(), absl::InfiniteFuture());
}

TEST(LogMerge, ASilentLogHoldsTheOthersBackForAWhileOnly) {
  LogMerge merge(2, kPatience, kNow);
  merge.Add(0, {Line(0, 10, "a")}, kNow);
  EXPECT_EQ(TakeText(merge, kNow), "-");
  EXPECT_EQ(merge.NextTime(), kNow + kPatience);
  EXPECT_EQ(TakeText(merge, kNow + kPatience - absl::Microseconds(1)), "-");
  EXPECT_EQ(TakeText(merge, kNow + kPatience), "a");
  // From then on it does not, until it says something.
  const absl::Time later = kNow + 2 * kPatience;
  merge.Add(0, {Line(0, 20, "b"), Line(0, 40, "d")}, later);
  EXPECT_EQ(TakeText(merge, later), "b");
  EXPECT_EQ(TakeText(merge, later), "d");
  merge.Add(1, {Line(1, 30, "late")}, later);
  EXPECT_EQ(TakeText(merge, later), "late");
  merge.Add(0, {Line(0, 50, "e")}, later);
  EXPECT_EQ(TakeText(merge, later), "-");
  EXPECT_EQ(TakeText(merge, later + kPatience), "e");
}

// A log that is behind by hours is not slowed down by one that is at its end.
TEST(LogMerge, WhatIsOlderThanTheLastLineOfASilentLogDoesNotWait) {
  LogMerge merge(2, kPatience, kNow);
  merge.Add(0, {Line(0, 1000, "new")}, kNow);
  merge.Add(1, {Line(1, 10, "old"), Line(1, 20, "older than new")}, kNow);
  EXPECT_EQ(TakeText(merge, kNow), "old");
  EXPECT_EQ(TakeText(merge, kNow), "older than new");
  EXPECT_EQ(TakeText(merge, kNow), "-");
  merge.Add(1, {Line(1, 30, "still")}, kNow);
  EXPECT_EQ(TakeText(merge, kNow), "still");
}

TEST(LogMerge, LinesThatAreNotShownTellTheTimeToo) {
  LogMerge merge(2, absl::InfiniteDuration(), kNow);
  merge.Add(0, {Line(0, 10, "a"), Line(0, 30, "b")}, kNow);
  merge.Pass(1, 20, kNow);
  EXPECT_EQ(TakeText(merge, kNow), "a");
  EXPECT_EQ(TakeText(merge, kNow), "-");
  merge.Pass(1, 30, kNow);
  EXPECT_EQ(TakeText(merge, kNow), "b");
}

TEST(LogMerge, ALogKeepsItsOrderThoughItsClockFalls) {
  LogMerge merge(2, absl::InfiniteDuration(), kNow);
  merge.Add(0, {Line(0, 50, "first"), Line(0, 10, "second")}, kNow);
  merge.Add(1, {Line(1, 20, "x")}, kNow);
  merge.End(0);
  merge.End(1);
  EXPECT_EQ(TakeText(merge, kNow), "x");
  EXPECT_EQ(TakeText(merge, kNow), "first");
  EXPECT_EQ(TakeText(merge, kNow), "second");
}

std::string Show(const LogGroup& group) {
  std::string ranks;
  for (const int32_t rank : group.ranks) {
    absl::StrAppend(&ranks, ranks.empty() ? "" : ",", rank);
  }
  return absl::StrCat(ranks, ":", group.text);
}

std::vector<std::string> Collapse(size_t ranks, const std::vector<LogLine>& lines) {
  LogCollapse collapse(ranks, absl::InfiniteDuration());
  for (const LogLine& line : lines) {
    collapse.Add(line, kNow);
  }
  collapse.Finish();
  std::vector<std::string> shown;
  while (const auto group = collapse.Take(kNow)) {
    shown.push_back(Show(*group));
  }
  return shown;
}

using Shown = std::vector<std::string>;

TEST(LogCollapse, WhatSeveralSayAlikeStandsOnce) {
  EXPECT_EQ(Collapse(3, {Line(1, 1, "init"), Line(0, 2, "init"), Line(2, 3, "init")}),
            (Shown{"0,1,2:init"}));
  EXPECT_EQ(Collapse(3, {Line(0, 1, "a"), Line(0, 2, "b"), Line(1, 3, "a"), Line(1, 4, "b")}),
            (Shown{"0,1:a", "0,1:b"}));
}

TEST(LogCollapse, NoLinePassesOneOfItsOwnRank) {
  EXPECT_EQ(Collapse(2, {Line(0, 1, "a"), Line(0, 2, "b"), Line(1, 3, "b"), Line(1, 4, "a")}),
            (Shown{"0:a", "0,1:b", "1:a"}));
  EXPECT_EQ(Collapse(2, {Line(0, 1, "a"), Line(0, 2, "a"), Line(1, 3, "a")}),
            (Shown{"0,1:a", "0:a"}));
}

TEST(LogCollapse, WhatIsFarApartInTimeStaysApart) {
  const int64_t window = absl::ToInt64Microseconds(LogCollapse::kWindow);
  EXPECT_EQ(Collapse(2, {Line(0, 1, "a"), Line(1, 1 + window, "a")}), (Shown{"0,1:a"}));
  EXPECT_EQ(Collapse(2, {Line(0, 1, "a"), Line(1, 2 + window, "a")}), (Shown{"0:a", "1:a"}));
}

TEST(LogCollapse, WaitsForOthersOnlyAsLongAsAnyMayCome) {
  LogCollapse collapse(2, kPatience);
  EXPECT_EQ(collapse.NextTime(), absl::InfiniteFuture());
  collapse.Add(Line(0, 1, "a"), kNow);
  EXPECT_FALSE(collapse.Take(kNow).has_value());
  EXPECT_EQ(collapse.NextTime(), kNow + kPatience);
  EXPECT_EQ(Show(*collapse.Take(kNow + kPatience)), "0:a");
  collapse.Add(Line(0, 2, "b"), kNow);
  collapse.Add(Line(1, 3, "b"), kNow);
  EXPECT_EQ(Show(*collapse.Take(kNow)), "0,1:b");  // nobody else is there
}

TEST(LogCollapse, HoldsABoundedPart) {
  LogCollapse many(2, absl::InfiniteDuration());
  size_t taken = 0;
  for (size_t i = 0; i < 3 * LogCollapse::kGroupsMax; ++i) {
    many.Add(Line(0, 1, absl::StrCat("line ", i)), kNow);
    taken += many.Take(kNow).has_value() ? 1 : 0;
  }
  EXPECT_EQ(taken, 2 * LogCollapse::kGroupsMax);
  LogCollapse large(2, absl::InfiniteDuration());
  large.Add(Line(0, 1, std::string(LogCollapse::kBytesMax, 'x')), kNow);
  EXPECT_FALSE(large.Take(kNow).has_value());
  large.Add(Line(0, 1, "y"), kNow);
  EXPECT_TRUE(large.Take(kNow).has_value());
}

// Random logs, brought in random parts.
class RandomLogs {
 public:
  explicit RandomLogs(uint64_t seed) : random_(seed), logs_(1 + Below(6)) {
    const size_t words = 1 + Below(4);
    for (size_t log = 0; log < logs_.size(); ++log) {
      int64_t at = 1 + static_cast<int64_t>(Below(1'000'000));
      const size_t lines = Below(60);
      for (size_t i = 0; i < lines; ++i) {
        at += static_cast<int64_t>(Below(Below(4) == 0 ? 900'000 : 1'000));
        logs_[log].push_back(Line(static_cast<int32_t>(log * 3), at, absl::StrCat(Below(words))));
      }
    }
  }
  size_t Below(size_t bound) {
    return std::uniform_int_distribution<size_t>(0, bound - 1)(random_);
  }
  const std::vector<std::vector<LogLine>>& logs() const { return logs_; }

  // Everything that a merge shows, with some time passing between the parts.
  std::vector<LogLine> Merge(absl::Duration patience) {
    LogMerge merge(logs_.size(), patience, kNow);
    std::vector<size_t> brought(logs_.size(), 0);
    std::vector<LogLine> merged;
    absl::Time now = kNow;
    std::set<size_t> open;
    for (size_t log = 0; log < logs_.size(); ++log) {
      open.insert(log);
    }
    while (!open.empty()) {
      const size_t log = *std::next(open.begin(), static_cast<int64_t>(Below(open.size())));
      const size_t count = std::min(Below(9), logs_[log].size() - brought[log]);
      const auto begin = logs_[log].begin() + static_cast<int64_t>(brought[log]);
      merge.Add(log, {begin, begin + static_cast<int64_t>(count)}, now);
      brought[log] += count;
      if (brought[log] == logs_[log].size()) {
        merge.End(log);
        open.erase(log);
      }
      now += absl::Milliseconds(static_cast<int64_t>(Below(200)));
      while (const auto line = merge.Take(now)) {
        merged.push_back(*line);
      }
    }
    return merged;
  }

  // What the rank wrote, in its order.
  static std::map<int32_t, std::vector<std::string>> ByRank(const std::vector<LogLine>& lines) {
    std::map<int32_t, std::vector<std::string>> by_rank;
    for (const LogLine& line : lines) {
      by_rank[line.rank].push_back(line.text);
    }
    return by_rank;
  }
  std::map<int32_t, std::vector<std::string>> Written() const {
    std::vector<LogLine> all;
    for (const auto& log : logs_) {
      all.insert(all.end(), log.begin(), log.end());
    }
    return ByRank(all);
  }

 private:
  std::mt19937_64 random_;
  std::vector<std::vector<LogLine>> logs_;
};

void CheckGroups(RandomLogs& logs, const std::vector<LogLine>& merged) {
  LogCollapse collapse(logs.logs().size(),
                       logs.Below(2) == 0 ? kPatience : absl::InfiniteDuration());
  std::vector<LogGroup> groups;
  absl::Time now = kNow;
  const auto take = [&] {
    while (const auto group = collapse.Take(now)) {
      groups.push_back(*group);
    }
  };
  for (const LogLine& line : merged) {
    collapse.Add(line, now);
    now += absl::Milliseconds(static_cast<int64_t>(logs.Below(100)));
    take();
  }
  collapse.Finish();
  take();
  std::vector<LogLine> expanded;
  int64_t last_us = 0;
  for (const LogGroup& group : groups) {
    EXPECT_GE(group.at_us, last_us);
    last_us = group.at_us;
    const std::set<int32_t> ranks(group.ranks.begin(), group.ranks.end());
    EXPECT_EQ(std::vector<int32_t>(ranks.begin(), ranks.end()), group.ranks);
    for (const int32_t rank : group.ranks) {
      expanded.push_back(Line(rank, group.at_us, group.text));
    }
  }
  // No line is lost or invented, and every rank's stand in its order.
  EXPECT_EQ(RandomLogs::ByRank(expanded), logs.Written());
}

void CheckSeed(uint64_t seed) {
  SCOPED_TRACE(absl::StrCat("BERTH_TEST_SEED=", seed));
  RandomLogs logs(seed);
  const std::vector<LogLine> exact = logs.Merge(absl::InfiniteDuration());
  EXPECT_EQ(RandomLogs::ByRank(exact), logs.Written());
  EXPECT_TRUE(std::is_sorted(exact.begin(), exact.end(),
                             [](const LogLine& a, const LogLine& b) { return a.at_us < b.at_us; }));
  CheckGroups(logs, exact);
  // With a silence that passes, lines may come late, and none is lost.
  EXPECT_EQ(RandomLogs::ByRank(logs.Merge(kPatience)), logs.Written());
}

TEST(LogMergeAndCollapse, LoseNothingAndKeepTheOrder) {
  if (const char* const asked = std::getenv("BERTH_TEST_SEED"); asked != nullptr) {
    CheckSeed(std::strtoull(asked, nullptr, 10));
    return;
  }
  for (uint64_t seed = 1; seed <= kSeeds && !HasFailure(); ++seed) {
    CheckSeed(seed);
  }
}

}  // namespace
}  // namespace berth
