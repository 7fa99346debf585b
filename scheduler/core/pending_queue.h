#ifndef BERTH_SCHEDULER_CORE_PENDING_QUEUE_H_
#define BERTH_SCHEDULER_CORE_PENDING_QUEUE_H_

// The pending jobs as a round sees them: in groups that look alike, and those in queues. Owned by
// the Cluster.

#include <cstdint>
#include <set>
#include <tuple>
#include <utility>

#include "absl/container/btree_map.h"
#include "absl/container/btree_set.h"
#include "absl/container/inlined_vector.h"
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
// A round walks over many of them: none is larger than it has to be.
struct QueuePlace {
  int priority = 0;
  absl::Time submitted_at = absl::InfinitePast();  // of the oldest
  JobId oldest;
  GroupId group;
  ShapeId shape;
  int least_devices = 0;
  bool whole = false;  // whole devices of the classes that it names
  bool plain = false;  // that, and only one class
  bool preemptible = true;
  bool may_borrow = true;

  friend bool operator<(const QueuePlace& a, const QueuePlace& b) {
    return a.priority != b.priority ? a.priority > b.priority : a.oldest < b.oldest;
  }
  friend bool operator==(const QueuePlace&, const QueuePlace&) = default;
};

// Places of one queue whose groups differ only in their projects, in when they end, and in their
// priority where the quota does not ask for it.
struct AlikePlaces {
  absl::InlinedVector<QueuePlace, 1> places;  // in their order
  absl::InlinedVector<std::pair<Blocker, int>, 1>
      told;  // how many of the groups have which blocker

  int Told(const Blocker& blocker) const;
};

// A group's oldest job that is ready, and when it was submitted: a task that is planned again has a
// later id than what was submitted after its array.
using QueueAge = std::tuple<JobId, absl::Time, GroupId>;

// One tenant's groups in the queue of one class that have ready jobs.
class TenantQueue {
 public:
  // What a group must have in common with those alike to it. A job that must own its devices may
  // take the label from others of a lower priority: only of these the priority counts.
  using AlikeKey = std::tuple<ShapeId, bool, bool, int>;

  const absl::btree_set<QueuePlace>& places() const { return places_; }
  const absl::btree_map<AlikeKey, AlikePlaces>& alike() const { return alike_; }
  const absl::btree_set<QueueAge>& by_age() const { return by_age_; }
  // When they were submitted.
  const absl::btree_multiset<absl::Time>& submissions() const { return submissions_; }
  bool empty() const { return places_.empty(); }
  // How many of the places are not plain.
  int mixed() const { return mixed_; }

  // `blocker`: of the group at this place.
  void Insert(const QueuePlace& place, const Blocker& blocker);
  // Requires: it is there.
  void Erase(const QueuePlace& place, const Blocker& blocker);
  // The group at this place has another blocker. Requires: it is there.
  void ChangeBlocker(const QueuePlace& place, const Blocker& before, const Blocker& now);

 private:
  static AlikeKey KeyOf(const QueuePlace& place);
  static QueueAge AgeOf(const QueuePlace& place) {
    return {place.oldest, place.submitted_at, place.group};
  }

  absl::btree_set<QueuePlace> places_;
  absl::btree_map<AlikeKey, AlikePlaces> alike_;
  absl::btree_set<QueueAge> by_age_;
  absl::btree_multiset<absl::Time> submissions_;
  int mixed_ = 0;
};

}  // namespace berth

#endif  // BERTH_SCHEDULER_CORE_PENDING_QUEUE_H_
