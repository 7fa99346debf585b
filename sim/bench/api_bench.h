#ifndef BERTH_SIM_BENCH_API_BENCH_H_
#define BERTH_SIM_BENCH_API_BENCH_H_

// The path from a caller to a durable answer, and from there to a running process, through the
// shipped binaries on this machine. Prints its figures to stdout; client and servers share the
// cores.

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace berth {

struct ApiBenchOptions {
  int sequential = 5000;  // submissions one at a time
  int parallel = 50000;   // submissions with `outstanding` on their way
  int outstanding = 64;
  int bulk = 50000;     // jobs through SubmitJobs, 1,000 at a time
  int processes = 200;  // `berth submit` processes
  int runs = 200;       // `true` jobs from submit to running
  std::string folder;   // as LocalCenterOptions
};

absl::Status RunApiBench(absl::string_view bin, const ApiBenchOptions& options);

}  // namespace berth

#endif  // BERTH_SIM_BENCH_API_BENCH_H_
