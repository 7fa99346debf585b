#ifndef BERTH_TESTS_SIMULATION_ORDERS_H_
#define BERTH_TESTS_SIMULATION_ORDERS_H_

// What people asked of a center and were told is done, kept apart from the cluster; and whether
// what the center does keeps to it.

#include <map>
#include <set>
#include <utility>
#include <vector>

#include "scheduler/core/changes.h"
#include "scheduler/core/event.h"
#include "tests/simulation/findings.h"
#include "tests/simulation/plan_checks.h"

namespace berth {

class Orders {
 public:
  // The center has taken the request.
  void Note(const Cluster& cluster, const UserEvent& event, const Outcome& outcome,
            Findings& findings);
  // What has started and ended since the last call; and an array that is over adds up.
  void NoteProgress(const Cluster& cluster, const Changes& changes, Findings& findings);

  // Nothing starts, claims or is anchored that is not to start.
  void CheckPlan(const PlanView& view, Findings& findings) const;
  // The same of what has just been started, where tasks of arrays are jobs of their own.
  void CheckStarted(const Cluster& cluster, absl::Time now, Findings& findings) const;
  // Of a cluster at rest: nothing is kept for what is not to start.
  void CheckRest(const Cluster& cluster, absl::Time now, Findings& findings) const;
  // Exactly those tenants are suspended that are to be.
  void CheckSuspensions(const Cluster& cluster, Findings& findings) const;

 private:
  // What a job was submitted with, and what is known of an array's tasks.
  struct Wish {
    absl::Time begin_at = absl::InfinitePast();
    std::vector<Dependency> dependencies;
    ArrayRange array;
    bool is_cancelled = false;
    std::set<int> cancelled_tasks;  // indexes
    std::set<int> tasks;            // those that became jobs, by index
    int succeeded = 0;
    int failed = 0;

    // Tasks of an array that nobody cancelled and that are no jobs.
    int Left() const;
  };

  void NoteSubmitted(const SubmitJob& request, JobId job);
  void NoteCancelled(const CancelJob& request, const Outcome& outcome, Findings& findings);
  // Why the job must not start now is counted as broken.
  void CheckMayStart(const Job& job, absl::Time now, Findings& findings) const;
  void CheckTask(const Job& job, Findings& findings) const;
  void CheckBounds(const Cluster& cluster, const Job& array, int starts, Findings& findings) const;
  bool Holds(const Dependency& dependency) const;
  void CheckArrayEnd(const Job& array, Findings& findings) const;

  std::map<JobId, Wish> wishes_;
  std::set<TenantId> suspended_;
  std::set<JobId> held_;
  std::set<JobId> started_;          // for those that wait for it; an array: all its tasks
  std::map<JobId, JobState> ended_;  // the last state
};

}  // namespace berth

#endif  // BERTH_TESTS_SIMULATION_ORDERS_H_
