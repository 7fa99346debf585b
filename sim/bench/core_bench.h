#ifndef BERTH_SIM_BENCH_CORE_BENCH_H_
#define BERTH_SIM_BENCH_CORE_BENCH_H_

// The scheduling core alone, in virtual time on one thread, under the synthetic workload: rounds on
// full and empty clusters, one end and what starts for it, a fork, memory, and a whole simulation.
// Prints its figures to stdout.

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"

namespace berth {

struct CoreBenchOptions {
  std::vector<std::string> scenarios;  // empty: all
  int rounds = 20;                     // full rounds measured per cluster
  int ends = 200;                      // jobs that end one by one
  int64_t jobs = 1'000'000;            // of the simulation
  int nodes = 512;                     // of the simulation
};

// An error names the scenarios there are.
absl::Status RunCoreBench(const CoreBenchOptions& options);

}  // namespace berth

#endif  // BERTH_SIM_BENCH_CORE_BENCH_H_
