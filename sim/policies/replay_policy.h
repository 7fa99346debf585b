#ifndef BERTH_SIM_POLICIES_REPLAY_POLICY_H_
#define BERTH_SIM_POLICIES_REPLAY_POLICY_H_

// What a policy of `berth-sim replay` is given, and what a trace becomes under it.

#include <cstdint>
#include <vector>

#include "sim/device_pool.h"
#include "sim/trace_reader.h"

namespace berth::sim {

enum class Estimate { kRequest, kRun };

inline constexpr int64_t kNever = -1;

struct JobTimes {
  int64_t start_us = kNever;  // the first start
  int64_t end_us = kNever;
};

// The state after everything that happened at one time.
struct UsagePoint {
  int64_t at_us = 0;
  int64_t devices_busy = 0;
  int64_t jobs_waiting = 0;
};

struct Replay {
  std::vector<JobTimes> times;    // as the jobs; kNever for those the pool could never hold
  std::vector<UsagePoint> usage;  // by time
};

struct ReplayInput {
  const std::vector<TraceJob>& jobs;
  const DevicePool& pool;
  Estimate estimate = Estimate::kRequest;

  // What the policy believes the job's run time to be.
  int64_t EstimateOf(const TraceJob& job) const {
    return estimate == Estimate::kRun ? job.run_us : job.request_us;
  }
};

}  // namespace berth::sim

#endif  // BERTH_SIM_POLICIES_REPLAY_POLICY_H_
