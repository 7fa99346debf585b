#ifndef BERTH_TESTS_SIM_POLICIES_TRACE_BUILDERS_H_
#define BERTH_TESTS_SIM_POLICIES_TRACE_BUILDERS_H_

// Small traces in whole seconds.

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"

#include "sim/random.h"
#include "sim/replay_policies.h"

namespace berth::sim {

struct TestJob {
  std::string id;
  int64_t submit_s = 0;
  int64_t run_s = 0;
  int64_t devices = 1;
  int64_t request_s = -1;  // -1: as run_s
};

inline TestJob Job(const std::string& id, int64_t submit_s, int64_t run_s, int64_t devices,
                   int64_t request_s = -1) {
  return {id, submit_s, run_s, devices, request_s};
}

inline TraceJob MakeTraceJob(const TestJob& job) {
  TraceJob trace;
  trace.id = job.id;
  trace.submit_us = job.submit_s * 1000000;
  trace.run_us = job.run_s * 1000000;
  trace.request_us = (job.request_s < 0 ? job.run_s : job.request_s) * 1000000;
  trace.devices = job.devices;
  return trace;
}

// Start times in seconds, in the order of the jobs; -1 for never.
using Starts = std::vector<int64_t>;

inline Replay RunReplayPolicy(const std::string& policy, const DevicePool& pool,
                              const std::vector<TestJob>& jobs, Estimate estimate) {
  std::vector<TraceJob> trace;
  for (const TestJob& job : jobs) {
    trace.push_back(MakeTraceJob(job));
  }
  return FindReplayPolicy(policy)->run({trace, pool, estimate});
}

inline Starts StartsOf(const std::string& policy, const DevicePool& pool,
                       const std::vector<TestJob>& jobs, Estimate estimate = Estimate::kRequest) {
  Starts starts;
  for (const JobTimes& times : RunReplayPolicy(policy, pool, jobs, estimate).times) {
    starts.push_back(times.start_us < 0 ? -1 : times.start_us / 1000000);
  }
  return starts;
}

inline Starts StartsOf(const std::string& policy, int64_t devices, const std::vector<TestJob>& jobs,
                       Estimate estimate = Estimate::kRequest) {
  return StartsOf(policy, DevicePool({devices}), jobs, estimate);
}

inline std::vector<TraceJob> RandomJobs(uint64_t seed, int count, int devices_max) {
  Random random(seed);
  std::vector<TraceJob> jobs;
  int64_t submit = 0;
  for (int i = 0; i < count; ++i) {
    submit += random.Below(8);
    const int64_t run = random.Below(40);
    jobs.push_back(MakeTraceJob(Job(absl::StrCat("j", i), submit, run,
                                    1 + random.Below(devices_max), run + random.Below(30))));
  }
  return jobs;
}

}  // namespace berth::sim

#endif  // BERTH_TESTS_SIM_POLICIES_TRACE_BUILDERS_H_
