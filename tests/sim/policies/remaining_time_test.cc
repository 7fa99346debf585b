#include "sim/policies/remaining_time.h"

#include <vector>

#include <gtest/gtest.h>

#include "tests/sim/policies/trace_builders.h"

namespace berth::sim {
namespace {

using Times = std::vector<int64_t>;

// End times in seconds.
Times Ends(const std::string& policy, const DevicePool& pool, const std::vector<TestJob>& jobs,
           Estimate estimate = Estimate::kRequest) {
  Times ends;
  for (const JobTimes& times : RunReplayPolicy(policy, pool, jobs, estimate).times) {
    ends.push_back(times.end_us / 1000000);
  }
  return ends;
}

TEST(Srtf, AShorterJobStopsALongerOneWhichGoesOnLater) {
  const std::vector<TestJob> jobs = {Job("a", 0, 10, 1), Job("b", 4, 3, 1)};
  EXPECT_EQ(Ends("srtf", DevicePool({1}), jobs), (Times{13, 7}));
  EXPECT_EQ(StartsOf("srtf", 1, jobs), (Starts{0, 4})) << "a's first start counts";
}

TEST(Srtf, EqualRemainingTimesKeepTheOrderOfSubmission) {
  // At 4, a has 6 s left, as b has.
  EXPECT_EQ(Ends("srtf", DevicePool({1}), {Job("a", 0, 10, 1), Job("b", 4, 6, 1)}),
            (Times{10, 16}));
}

TEST(Srtf, WhoDoesNotFitIsPassedOver) {
  EXPECT_EQ(
      Ends("srtf", DevicePool({2}), {Job("a", 0, 4, 1), Job("b", 0, 5, 2), Job("c", 0, 9, 1)}),
      (Times{4, 9, 14}))
      << "c runs beside a, is stopped for b, goes on";
}

TEST(Srtf, TheTruthMayReplaceTheRequest) {
  const std::vector<TestJob> jobs = {Job("a", 0, 10, 1, 10), Job("b", 0, 3, 1, 20)};
  EXPECT_EQ(Ends("srtf", DevicePool({1}), jobs), (Times{10, 13}));
  EXPECT_EQ(Ends("srtf", DevicePool({1}), jobs, Estimate::kRun), (Times{13, 3}));
}

TEST(Srsf, RemainingTimeCountsTimesDevices) {
  // a: 4 s x 2 devices = 8; b: 6 s x 1 = 6.
  const std::vector<TestJob> jobs = {Job("a", 0, 4, 2), Job("b", 0, 6, 1)};
  EXPECT_EQ(Ends("srsf", DevicePool({2}), jobs), (Times{10, 6}));
  EXPECT_EQ(Ends("srtf", DevicePool({2}), jobs), (Times{4, 10}));
}

TEST(Srtf, AJobOfUpToANodeStaysOnOneNode) {
  // 2 + 2 devices are free on two nodes: three do not fit one of them.
  EXPECT_EQ(
      Ends("srtf", DevicePool({4, 4}), {Job("a", 0, 5, 2), Job("b", 0, 5, 3), Job("c", 0, 9, 3)}),
      (Times{5, 5, 14}));
}

TEST(Srtf, ALargerJobTakesWholeNodes) {
  EXPECT_EQ(Ends("srtf", DevicePool({4, 4, 4}),
                 {Job("a", 0, 5, 1), Job("b", 0, 9, 8), Job("c", 0, 20, 8)}),
            (Times{5, 9, 29}));
}

}  // namespace
}  // namespace berth::sim
