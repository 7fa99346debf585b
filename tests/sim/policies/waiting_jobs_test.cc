#include "sim/policies/waiting_jobs.h"

#include <map>
#include <utility>

#include <gtest/gtest.h>

#include "sim/random.h"

namespace berth::sim {
namespace {

// The tree finds what looking at every rank finds.
TEST(WaitingJobs, NextIsThatOfALinearSearch) {
  Random random(11);
  constexpr int kRanks = 37;
  WaitingJobs tree(kRanks);
  std::map<int, std::pair<int64_t, int64_t>> jobs;
  for (int step = 0; step < 20000; ++step) {
    const int rank = static_cast<int>(random.Below(kRanks));
    if (jobs.erase(rank) > 0) {
      tree.Remove(rank);
    } else {
      jobs[rank] = {random.Below(10), random.Below(10)};
      tree.Add(rank, jobs[rank].first, jobs[rank].second);
    }
    const WaitingJobs::Need need{random.Below(10), random.Below(10), random.Below(5)};
    const int from = static_cast<int>(random.Below(kRanks + 1));
    int expected = -1;
    for (auto job = jobs.lower_bound(from); job != jobs.end() && expected < 0; ++job) {
      const auto& [devices, estimate] = job->second;
      const bool meets = devices <= need.devices_max &&
                         (estimate <= need.estimate_us_max || devices <= need.spare);
      EXPECT_EQ(tree.Meets(job->first, need), meets);
      expected = meets ? job->first : -1;
    }
    ASSERT_EQ(tree.Next(from, need), expected) << "step " << step;
  }
}

}  // namespace
}  // namespace berth::sim
