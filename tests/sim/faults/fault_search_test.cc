#include "sim/faults/fault_search.h"

#include <map>
#include <string>

#include <gtest/gtest.h>

namespace berth::sim {
namespace {

constexpr int64_t kSeeds = 2000;

std::string Describe(const FaultSearchResult& result) {
  std::string text;
  if (result.failure.has_value()) {
    text = "seed " + std::to_string(result.failure->seed) + " breaks " + result.failure->invariant +
           ": " + result.failure->detail + "\n";
    for (const std::string& line : result.failure->last_events) {
      text += line + "\n";
    }
  }
  return text;
}

TEST(FaultSearch, NoInvariantIsBroken) {
  const FaultSearchResult result = SearchFaults({.seeds = kSeeds});
  EXPECT_EQ(Describe(result), "");
  EXPECT_EQ(result.seeds, kSeeds);
  EXPECT_GT(result.executions, kSeeds);
}

// A rarer one may be missed by so few seeds, but most must be taken.
TEST(FaultSearch, TheTransitionsAreTaken) {
  const FaultSearchResult result = SearchFaults({.seeds = kSeeds});
  int missed = 0;
  for (const Transition& transition : result.coverage.Transitions()) {
    missed += transition.count == 0 ? 1 : 0;
  }
  EXPECT_LE(missed, 3);
}

TEST(FaultSearch, TheSameSeedsGiveTheSameHashOnAnyNumberOfThreads) {
  const uint64_t hash = SearchFaults({.seeds = 50, .threads = 1}).hash;
  EXPECT_EQ(SearchFaults({.seeds = 50, .threads = 3}).hash, hash);
  EXPECT_NE(SearchFaults({.seeds = 50, .first_seed = 2}).hash, hash);
}

TEST(FaultSearch, WhatIsNotPossibleIsRefusedWithTheWayOut) {
  for (const FaultSearchOptions& options :
       {FaultSearchOptions{.seeds = 0}, FaultSearchOptions{.first_seed = -1},
        FaultSearchOptions{.threads = -1}}) {
    const absl::Status status = RunFaults(options);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_NE(std::string(status.message()).find("--seeds"), std::string::npos);
  }
}

}  // namespace
}  // namespace berth::sim
