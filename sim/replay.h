#ifndef BERTH_SIM_REPLAY_H_
#define BERTH_SIM_REPLAY_H_

// `berth-sim replay`: a log of jobs under a named policy.

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "sim/device_pool.h"
#include "sim/replay_policies.h"

namespace berth::sim {

struct ReplayOptions {
  std::string policy;
  std::string jobs;                // a file
  std::optional<int64_t> devices;  // one flat pool, or
  std::string cluster;             // "8x8": nodes x devices, or
  std::string nodes;               // a file
  std::string estimate = "request";
  // Files to write; empty: none.
  std::string schedule;
  std::string report;
  std::string plot;
};

// Requires exactly one of devices, cluster and nodes.
absl::StatusOr<DevicePool> MakePool(const ReplayOptions& options);
absl::StatusOr<Estimate> FindEstimate(absl::string_view name);

// Prints a summary to stdout and what was left out to stderr.
absl::Status RunReplay(const ReplayOptions& options);

}  // namespace berth::sim

#endif  // BERTH_SIM_REPLAY_H_
