#ifndef BERTH_SIM_BENCH_PROCESS_USAGE_H_
#define BERTH_SIM_BENCH_PROCESS_USAGE_H_

// What a process and those that it has reaped have used of the processors.

#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include <sys/types.h>

namespace berth {

struct ProcessUsage {
  absl::Duration own;
  absl::Duration children;  // of those that live, with what those have reaped
  absl::Duration reaped;    // of its dead children, theirs included
};

// In steps of a clock tick, 10 ms.
absl::StatusOr<ProcessUsage> ReadProcessUsage(pid_t pid);

}  // namespace berth

#endif  // BERTH_SIM_BENCH_PROCESS_USAGE_H_
