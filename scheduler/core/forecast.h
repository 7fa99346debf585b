#ifndef BERTH_SCHEDULER_CORE_FORECAST_H_
#define BERTH_SCHEDULER_CORE_FORECAST_H_

// When a pending job will start: the real planner runs forward on a fork of the cluster, in which
// every job that runs ends at its time limit. Functions of their arguments; they touch nothing of
// the cluster that was forked and may run on any thread that owns a copy of it.

#include <cstdint>
#include <vector>

#include "absl/time/time.h"

#include "scheduler/core/cluster.h"
#include "scheduler/core/plan.h"
#include "scheduler/core/policy.h"

namespace berth {

// Bounds of one forecast. Jobs that are dropped, and rounds that are skipped, make it coarser.
struct ForecastLimits {
  int rounds_max = 32;    // planning rounds of one run
  int pending_max = 256;  // other pending jobs that the fork keeps: those that come first
  absl::Duration horizon = absl::Hours(24 * 30);
  // What jobs usually use of their time limits, in percent: a likely start lies between the two.
  int usage_percent_min = 60;
  int usage_percent_max = 80;
};

// A fork that is small enough to be run forward: all nodes and running jobs, and of the pending
// ones `job`, what it waits for, and the `pending_max` that the planner would consider first among
// those that could take its devices. Nobody is connected in it, so that no command is ever made.
struct Fork {
  Cluster cluster;
  bool complete = true;  // nothing that could matter was left out
};

// With `released` the job is neither held nor waiting for a time, other jobs, or its array, and its
// tenant is not suspended. Requires: the job is live.
Fork MakeFork(const Cluster& cluster, JobId job, int pending_max, bool released);

// Plans once and applies it, then again while a round was cut short. Returns the start of the job
// (of the first task of an array); nothing if it did not start.
std::optional<Start> RunForkRound(Cluster& fork, const Policy& policy, JobId job, absl::Time now);

// An elastic gang that goes on with fewer nodes, which are not free yet.
bool IsShrinking(const Cluster& cluster, const Job& job);
// What `job` was asked to give back is there, or, if it was asked for nothing, it succeeds.
void EndInFork(Cluster& fork, const Policy& policy, JobId job, absl::Time now);
// Every gang that was asked for devices has given them back: a claim may count on what was asked
// for another one.
void EndRecalled(Cluster& fork, const Policy& policy, absl::Time now);

// What has to end before the job can start.
struct AwaitedEnd {
  JobId job;
  TenantId tenant;                         // other tenants' ids are for operators only
  std::vector<NodeId> nodes;               // that it shares with the start
  absl::Time by = absl::InfiniteFuture();  // at the latest
  bool recalled = false;                   // it gives its devices back for this or another claim
};

enum class ForecastState {
  kNow,      // the next round starts it
  kLater,    // by `latest`
  kUnknown,  // not within the bounds: see `rounds`, `horizon`; or it waits for a person
};

struct Forecast {
  static constexpr size_t kAwaitedMax = 16;

  ForecastState state = ForecastState::kUnknown;
  // By the time limits of what runs and waits now; later arrivals with better rights may delay it.
  absl::Time latest = absl::InfiniteFuture();
  // If jobs use the usual part of their limits: an estimate, no promise. Never after `latest`.
  absl::Time likely_from = absl::InfiniteFuture();
  absl::Time likely_to = absl::InfiniteFuture();
  ClassId device_class;
  Funding funding = Funding::kNone;
  std::vector<NodeId> nodes;          // by rank, in the run by the limits
  std::vector<AwaitedEnd> waits_for;  // by their ends; at most kAwaitedMax
  int64_t waits_for_count = 0;        // all of them
  bool complete = true;               // no job that could matter was left out
  int rounds = 0;                     // of the run by the limits
};

// Runs the fork forward until the job starts or a bound is reached. `complete` is the caller's.
Forecast ForecastStart(Cluster fork, const Policy& policy, JobId job, absl::Time now,
                       const ForecastLimits& limits);

// Only the time of the run by the limits; InfiniteFuture: not within the bounds.
absl::Time ForecastLatest(Cluster fork, const Policy& policy, JobId job, absl::Time now,
                          const ForecastLimits& limits);

}  // namespace berth

#endif  // BERTH_SCHEDULER_CORE_FORECAST_H_
