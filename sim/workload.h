#ifndef BERTH_SIM_WORKLOAD_H_
#define BERTH_SIM_WORKLOAD_H_

// A synthetic center and its jobs: tenants under contracts, half of them lending and half borrowing
// at any time, who submit single jobs and sweeps, by day more than by night. The same options give
// the same workload everywhere: integers only, and no distribution of the standard library.

#include <cstdint>
#include <vector>

#include "sim/center.h"

namespace berth::sim {

struct WorkloadOptions {
  uint64_t seed = 1;
  int64_t jobs = 100'000;
  int nodes = 512;
  int devices_per_node = 8;
  int tenants = 50;
  // Work that is submitted per time, of what the devices could do: over the whole, bursts exceed
  // it.
  int load_percent = 90;
};

struct Workload {
  SimCenter center;
  std::vector<SimJob> jobs;  // by submit time
};

// Three quarters of the nodes have devices of class "gpu", the others "npu". Tenants own 90 % of
// each class. Jobs take 1 to 64 devices (at most half a class), most of them one; gangs of more
// than a node's devices take whole nodes. Run times have a median of ten minutes and a mean above
// an hour; time limits are round and above them.
// Requires: at least 4 nodes, and 1 of everything else.
Workload MakeWorkload(const WorkloadOptions& options);

}  // namespace berth::sim

#endif  // BERTH_SIM_WORKLOAD_H_
