#include "sim/simulator.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include <gtest/gtest.h>

#include "sim/random.h"
#include "sim/replay_policies.h"
#include "sim/units.h"

namespace berth::sim {
namespace {

constexpr char kClass[] = "gpu";

SimCenter Center(int nodes, int devices, int tenants = 1) {
  SimCenter center;
  for (int i = 0; i < nodes; ++i) {
    center.nodes.push_back({
        absl::StrCat("n", i), devices, kClass, {64000,         512000},
            {             }
    });
  }
  for (int i = 0; i < tenants; ++i) {
    center.tenants.push_back({absl::StrCat("t", i), {}});
    center.tenants.back().quotas[kClass].entitlement = int64_t{nodes} * devices / tenants;
  }
  return center;
}

SimJob Job(int64_t submit_s, int64_t run_s, int nodes, int devices) {
  SimJob job;
  job.submit_us = submit_s * kSecond;
  job.run_us = run_s * kSecond;
  job.gang.nodes = nodes;
  job.gang.devices_per_node = devices;
  job.device_classes = {kClass};
  job.time_limit = absl::Hours(1);
  return job;
}

TEST(Simulator, JobsStartWhereTheCoreSaysAndEndAfterTheirRunTime) {
  const std::vector<SimJob> jobs = {Job(100, 50, 1, 4), Job(110, 20, 1, 4), Job(120, 30, 1, 8)};
  Simulator simulator(Center(1, 8), jobs, {.keep_usage = true});
  simulator.Run();
  EXPECT_EQ(simulator.outcomes()[0].times.start_us, 100 * kSecond);
  EXPECT_EQ(simulator.outcomes()[1].times.end_us, 130 * kSecond);
  EXPECT_EQ(simulator.outcomes()[2].times.start_us, 150 * kSecond);
  EXPECT_EQ(simulator.outcomes()[2].times.end_us, 180 * kSecond);
  EXPECT_EQ(simulator.outcomes()[2].state, JobState::kSucceeded);
  EXPECT_EQ(simulator.outcomes()[2].attempts, 1);
  EXPECT_TRUE(simulator.engine().cluster().jobs().empty());
  int64_t busiest = 0;
  for (const UsagePoint& point : simulator.usage()) {
    busiest = std::max(busiest, point.devices_busy);
  }
  EXPECT_EQ(busiest, 8);
  EXPECT_EQ(simulator.usage().back().devices_busy, 0);
  EXPECT_EQ(simulator.usage().back().jobs_waiting, 0);
}

TEST(Simulator, AGangIsPreparedAndStartedAsOne) {
  const std::vector<SimJob> jobs = {Job(0, 60, 3, 8), Job(1, 60, 3, 8)};
  Simulator simulator(Center(4, 8), jobs, {});
  simulator.Run();
  EXPECT_EQ(simulator.outcomes()[0].times.end_us, 60 * kSecond);
  EXPECT_EQ(simulator.outcomes()[1].times.start_us, 60 * kSecond);
  EXPECT_EQ(simulator.outcomes()[1].state, JobState::kSucceeded);
}

TEST(Simulator, TheTimeLimitEndsAJob) {
  std::vector<SimJob> jobs = {Job(0, 7200, 2, 1)};
  Simulator simulator(Center(2, 1), jobs, {});
  simulator.Run();
  EXPECT_EQ(simulator.outcomes()[0].state, JobState::kTimedOut);
  // The stop signal comes a grace before the limit, and this job follows it.
  EXPECT_LE(simulator.outcomes()[0].times.end_us, 3600 * kSecond);
  EXPECT_GE(simulator.outcomes()[0].times.end_us, 3300 * kSecond);
}

TEST(Simulator, ARefusedJobIsNamedAndTheOthersRun) {
  const std::vector<SimJob> jobs = {Job(0, 10, 1, 9), Job(0, 10, 1, 8)};
  Simulator simulator(Center(1, 8), jobs, {});
  simulator.Run();
  EXPECT_EQ(simulator.outcomes()[0].times.end_us, kNever);
  EXPECT_FALSE(simulator.first_refusal().ok());
  EXPECT_EQ(simulator.outcomes()[1].state, JobState::kSucceeded);
}

TEST(Simulator, RoundsAreNoMoreFrequentThanAsked) {
  const std::vector<SimJob> jobs = {Job(0, 10, 1, 1), Job(1, 10, 1, 1), Job(6, 10, 1, 1)};
  Simulator simulator(Center(1, 8), jobs, {.round_interval_us = 5 * kSecond});
  simulator.Run();
  EXPECT_EQ(simulator.outcomes()[0].times.start_us, 0);
  EXPECT_EQ(simulator.outcomes()[1].times.start_us, 5 * kSecond);
  EXPECT_EQ(simulator.outcomes()[2].times.start_us, 10 * kSecond);
}

std::vector<SimJob> RandomJobs(uint64_t seed, int tenants) {
  Random random(seed);
  std::vector<SimJob> jobs;
  int64_t submit = 0;
  for (int i = 0; i < 400; ++i) {
    submit += random.Below(60);
    SimJob job = Job(submit, 1 + random.Below(1800), 1 + static_cast<int>(random.Below(3)),
                     1 + static_cast<int>(random.Below(8)));
    job.tenant = static_cast<int>(random.Below(tenants));
    job.priority = static_cast<int>(random.Below(3));
    job.stop_us = random.Below(5) * kSecond;
    jobs.push_back(std::move(job));
  }
  return jobs;
}

TEST(Simulator, TheSameJobsGiveTheSameDecisions) {
  const std::vector<SimJob> jobs = RandomJobs(1, 3);
  const auto hash = [](const std::vector<SimJob>& given) {
    Simulator simulator(Center(4, 8, 3), given, {});
    simulator.Run();
    for (const SimOutcome& outcome : simulator.outcomes()) {
      EXPECT_EQ(outcome.state, JobState::kSucceeded);
    }
    return simulator.decision_hash();
  };
  EXPECT_EQ(hash(jobs), hash(jobs));
  EXPECT_NE(hash(jobs), hash(RandomJobs(2, 3)));
}

TEST(DecisionHash, IsFnv1a) {
  DecisionHash hash;
  EXPECT_EQ(hash.value(), 0xcbf29ce484222325);
  hash.Add({0x61});  // FNV-1a of "a" followed by seven zero bytes
  uint64_t expected = 0xaf63dc4c8601ec8c;
  for (int i = 0; i < 7; ++i) {
    expected *= 0x100000001b3;
  }
  EXPECT_EQ(hash.value(), expected);
}

// A single virtual cluster owns the whole pool.
TEST(BerthReplay, RunsEveryJobThatFits) {
  std::vector<TraceJob> trace(3);
  for (int i = 0; i < 3; ++i) {
    trace[i].id = absl::StrCat(i);
    trace[i].run_us = trace[i].request_us = 10 * kSecond;
    trace[i].devices = i == 1 ? 17 : 12;
  }
  const DevicePool pool({8, 8});
  const Replay replay = FindReplayPolicy("berth")->run({trace, pool, Estimate::kRequest});
  EXPECT_EQ(replay.times[0].start_us, 0);
  EXPECT_EQ(replay.times[1].start_us, kNever) << "larger than the pool";
  EXPECT_EQ(replay.times[2].start_us, 10 * kSecond);
}

}  // namespace
}  // namespace berth::sim
