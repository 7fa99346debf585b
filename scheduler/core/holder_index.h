#ifndef BERTH_SCHEDULER_CORE_HOLDER_INDEX_H_
#define BERTH_SCHEDULER_CORE_HOLDER_INDEX_H_

// Who holds devices of a class, by what a reclaim or an anchor asks: whose priority is lower, who
// ends when, what comes back already. Owned by the Cluster.

#include <cstdint>
#include <set>
#include <utility>

#include "absl/container/btree_map.h"
#include "absl/time/time.h"

#include "scheduler/core/ids.h"

namespace berth {

// A tenant's preemptible jobs of one priority that hold devices of a class.
struct PriorityHolders {
  std::set<JobId> owned;
  std::set<JobId> borrowed;
  int64_t devices = 0;  // asked for
};

// A job that holds devices of a class. One that runs ends by itself; then it gives back what is not
// being given back already.
struct EndingJob {
  bool running = false;
  absl::Duration grace;
  int64_t devices = 0;  // while it runs; a share counts as one
  int members = 0;
  friend bool operator==(const EndingJob&, const EndingJob&) = default;
};
// By when they have ended at the latest (Job::ends_by): most rounds count what comes back soon, and
// look at few of the jobs themselves.
using EndIndex = absl::btree_map<std::pair<absl::Time, JobId>, EndingJob>;

// Allocations whose tasks have been told to stop.
struct ReturningMembers {
  std::set<AllocationId> allocations;
  int64_t devices = 0;
};

}  // namespace berth

#endif  // BERTH_SCHEDULER_CORE_HOLDER_INDEX_H_
