#ifndef BERTH_SCHEDULER_CORE_ACTIVE_TIMES_H_
#define BERTH_SCHEDULER_CORE_ACTIVE_TIMES_H_

// When a job may have taken too long, at the earliest: until then nobody has to look at all that
// are active. A value, owned by the Cluster; one thread.

#include <algorithm>

#include "absl/time/time.h"

#include "scheduler/core/job.h"

namespace berth {

class ActiveTimes {
 public:
  // No job that is being dispatched was started before.
  absl::Time dispatching_since() const { return dispatching_since_; }
  // No running job has its time limit, less its grace, before.
  absl::Time limit_from() const { return limit_from_; }
  // For a job whose state, times or limit are new. An array has none of its own.
  void Note(const Job& job) {
    if (job.is_array()) {
      return;
    }
    if (job.state == JobState::kDispatching) {
      dispatching_since_ = std::min(dispatching_since_, job.attempt.created_at);
    }
    if (job.state == JobState::kRunning) {
      limit_from_ =
          std::min(limit_from_, job.attempt.started_at + job.spec.time_limit - job.spec.grace);
    }
  }

 private:
  absl::Time dispatching_since_ = absl::InfiniteFuture();
  absl::Time limit_from_ = absl::InfiniteFuture();
};

}  // namespace berth

#endif  // BERTH_SCHEDULER_CORE_ACTIVE_TIMES_H_
