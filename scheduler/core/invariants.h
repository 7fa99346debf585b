#ifndef BERTH_SCHEDULER_CORE_INVARIANTS_H_
#define BERTH_SCHEDULER_CORE_INVARIANTS_H_

// What must hold between any two events.

#include "absl/status/status.h"

#include "scheduler/core/cluster.h"

namespace berth {

// Internal, naming the invariant and the numbers, or OK. Recomputes everything from the nouns.
absl::Status CheckInvariants(const Cluster& cluster);

// The part about jobs that wait, arrays, dependencies and bookings.
absl::Status CheckPendingInvariants(const Cluster& cluster);

}  // namespace berth

#endif  // BERTH_SCHEDULER_CORE_INVARIANTS_H_
