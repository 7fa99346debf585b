#ifndef BERTH_SIM_FAULTS_FAULT_SEARCH_H_
#define BERTH_SIM_FAULTS_FAULT_SEARCH_H_

// Many seeds of the fault simulation, on several threads, and the command that reports them.

#include <cstdint>
#include <optional>

#include "absl/status/status.h"

#include "sim/faults/coverage.h"
#include "sim/faults/world.h"

namespace berth::sim {

struct FaultSearchOptions {
  int64_t seeds = 2000;
  int64_t first_seed = 1;
  int threads = 0;  // 0: one per processor
};

struct FaultSearchResult {
  int64_t seeds = 0;  // that were run
  int64_t events = 0;
  int64_t executions = 0;
  uint64_t hash = 0;  // of all seeds, whatever their order
  Coverage coverage;
  std::optional<SeedResult> failure;  // of the lowest seed that failed among those run
};

// Stops at the first seed that fails; seeds that other threads are at are finished.
FaultSearchResult SearchFaults(const FaultSearchOptions& options);

// The same, reported on standard output. An error when a seed failed.
absl::Status RunFaults(const FaultSearchOptions& options);

}  // namespace berth::sim

#endif  // BERTH_SIM_FAULTS_FAULT_SEARCH_H_
