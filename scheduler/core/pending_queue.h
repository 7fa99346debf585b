#ifndef BERTH_SCHEDULER_CORE_PENDING_QUEUE_H_
#define BERTH_SCHEDULER_CORE_PENDING_QUEUE_H_

// The pending jobs as a round sees them: in groups that look alike, and those in queues. Owned by
// the Cluster.

#include <cstdint>
#include <set>

#include "absl/container/btree_set.h"
#include "absl/time/time.h"

#include "scheduler/core/ids.h"
#include "scheduler/core/job.h"
#include "scheduler/core/pending_reason.h"

namespace berth {

// Queued jobs that look alike, oldest first. A group that does not fit is skipped in one step.
// What a round asks of every group stands in front: it lies beside the group's id in memory.
struct PendingGroup {
  Blocker blocker;          // of the last round
  ShapeId shape;            // of its gang and the nodes that it avoids
  int64_t tasks = 0;        // ready and waiting; of an array those that have not started
  std::set<JobId> ready;    // may be planned
  std::set<JobId> waiting;  // for a time (back-off, begin), other jobs, or tasks of their array
  GroupKey key;
};

// A group's place in its tenant's queue: by priority, then by its oldest job that is ready.
// Every round walks over all of them: none is larger than it has to be.
struct QueuePlace {
  int priority = 0;
  absl::Time submitted_at = absl::InfinitePast();  // of the oldest
  JobId oldest;
  GroupId group;
  ShapeId shape;
  int least_devices = 0;
  bool whole = false;     // whole devices of the classes that it names
  bool plain = false;     // that, and only one class
  bool must_own = false;  // see GroupKey
  friend bool operator<(const QueuePlace& a, const QueuePlace& b) {
    return a.priority != b.priority ? a.priority > b.priority : a.oldest < b.oldest;
  }
};
using TenantQueue = absl::btree_set<QueuePlace>;

}  // namespace berth

#endif  // BERTH_SCHEDULER_CORE_PENDING_QUEUE_H_
