#ifndef BERTH_SIM_BENCH_AGENT_BENCH_H_
#define BERTH_SIM_BENCH_AGENT_BENCH_H_

// What one node costs: the launch of a task, many of them after each other, and a log that is
// written as fast as it can be, through the shipped binaries on this machine, isolated as well as
// the machine and the caller's rights allow. Prints its figures to stdout.

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace berth {

struct AgentBenchOptions {
  int launches = 200;     // tasks of `true` one at a time
  int tasks = 3000;       // of `true` in one array
  int at_once = 16;       // of those, each on one simulated device; at most 64
  int64_t log_mb = 1000;  // that one task writes, in millions of bytes
  std::string folder;     // as LocalCenterOptions
};

absl::Status RunAgentBench(absl::string_view bin, const AgentBenchOptions& options);

}  // namespace berth

#endif  // BERTH_SIM_BENCH_AGENT_BENCH_H_
