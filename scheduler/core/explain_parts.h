#ifndef BERTH_SCHEDULER_CORE_EXPLAIN_PARTS_H_
#define BERTH_SCHEDULER_CORE_EXPLAIN_PARTS_H_

// The parts that an explanation is made of. See explain.h for what they mean.

#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"

#include "scheduler/core/cluster.h"
#include "scheduler/core/explain.h"
#include "scheduler/core/forecast.h"
#include "scheduler/core/placement.h"
#include "scheduler/core/policy.h"
#include "scheduler/core/quota_view.h"

namespace berth {

// A job that is ready in this cluster, a fork, and was not started by its last round.
struct Stuck {
  const Cluster& cluster;
  const Policy& policy;
  const Job& job;
  absl::Time now;

  const GroupKey& key() const { return cluster.GetGroup(job.group).key; }
};

// As the planner asks for it. `gang` must outlive the request.
PlaceRequest RequestOf(const Stuck& stuck, const GangShape& gang, ClassId device_class,
                       const Grant& grant);

// What holds the job back whatever the class: held, back-off, begin time, other jobs, its array,
// its tenant. `job` is as in the cluster, not released.
std::vector<Blocker> OwnBlockers(const Cluster& cluster, const Job& job, absl::Time now);
// What holds it back in one class, each on its own, in the order of ReasonCode. Never empty.
// Requires: nothing is nominated for it.
std::vector<Blocker> ClassBlockers(const Stuck& stuck, ClassId device_class);
// The head of its tenant's queue that lets it not pass.
std::optional<Blocker> HeadBlocker(const Stuck& stuck);

// What kinds of things stand between how many nodes and a member.
struct NodeCensus {
  int suitable = 0;   // by class, label, health and size
  int available = 0;  // of those, a member fits now
  int booked = 0;
  int host = 0;      // too few cores or memory
  int devices = 0;   // too few free devices
  int whole = 0;     // enough free devices
  int close = 0;     // of the available, in one place of the level that the gang asks for
  int together = 0;  // of the suitable, in one such place
  // Kinds that together leave too few nodes: without any of those flagged there are enough.
  bool by_booking = false;
  bool by_host = false;
  bool by_devices = false;
  // The gang may not be spread: there are enough nodes, or enough available ones, but far apart.
  bool by_topology = false;
};
NodeCensus TakeCensus(const Stuck& stuck, ClassId device_class);
std::vector<NodePart> PartsOf(const Stuck& stuck, ClassId device_class);

// `cluster` has all pending jobs; `stuck` those of the fork.
Ahead AheadOf(const Cluster& cluster, const Stuck& stuck, ClassId device_class);

// Changes of a ready job after which the planner does better by it, tried on `fork`, where it does
// not start now. `so_far`: the explanation but for the advice.
std::vector<Advice> FindAdvice(Fork fork, const Policy& policy, const Explanation& so_far,
                               const ForecastLimits& limits);

}  // namespace berth

#endif  // BERTH_SCHEDULER_CORE_EXPLAIN_PARTS_H_
