#ifndef BERTH_SIM_SYNTHETIC_H_
#define BERTH_SIM_SYNTHETIC_H_

// `berth-sim generate` and `berth-sim run`: the synthetic workload as files, and under Berth's own
// scheduler.

#include <string>

#include "absl/status/status.h"

#include "sim/workload.h"

namespace berth::sim {

// Files to write; empty: none.
struct GenerateOptions {
  WorkloadOptions workload;
  std::string jobs;     // as `berth-sim replay` reads them
  std::string nodes;    // the same
  std::string tenants;  // CSV: vc,class,entitlement,limit,non_lendable,weight
};

struct SyntheticOptions {
  WorkloadOptions workload;
  double round_interval_s = 0;  // a round is at most so often; 0: after every event
  std::string schedule;
  std::string report;
  std::string plot;
};

absl::Status GenerateWorkload(const GenerateOptions& options);
// Prints a summary to stdout.
absl::Status RunSynthetic(const SyntheticOptions& options);

}  // namespace berth::sim

#endif  // BERTH_SIM_SYNTHETIC_H_
