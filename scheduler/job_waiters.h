#ifndef BERTH_SCHEDULER_JOB_WAITERS_H_
#define BERTH_SCHEDULER_JOB_WAITERS_H_

// Calls that wait until a job gets somewhere. Owned by the control loop; its thread only.

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

#include "scheduler/read_view.h"

namespace berth {

// Tells the loop when a job gets somewhere.
struct JobWait {
  Actor actor;
  JobId job;
  enum class Until { kEnded, kStarted, kChanged } until = Until::kEnded;
  uint64_t known_version = 0;
  absl::Duration timeout;
  // Called once; `reached` is false when the time was over first.
  std::function<void(const absl::StatusOr<JobRecord>&, bool reached)> done;
};

class JobWaiters {
 public:
  // Answers at once if the job is there already, or unknown to the actor.
  void Add(JobWait wait, const ReadView& view);
  // The job has changed, durably.
  void Notify(JobId job, const ReadView& view);
  // Answers all of a token that has changed: their callers look at it again.
  void Recall(absl::string_view token_id, const ReadView& view);
  // Answers those whose time is over.
  void Expire(const ReadView& view);
  // Answers all of them with `status`.
  void FailAll(const absl::Status& status);
  std::optional<absl::Time> NextDeadline() const;

 private:
  struct Entry {
    JobWait wait;
    absl::Time deadline;
  };
  using Key = std::pair<JobId, uint64_t>;

  static bool IsReached(const JobWait& wait, const Job& job);
  void Remove(std::map<Key, Entry>::iterator entry);

  std::map<Key, Entry> entries_;
  std::set<std::pair<absl::Time, Key>> deadlines_;
  uint64_t last_ = 0;
};

}  // namespace berth

#endif  // BERTH_SCHEDULER_JOB_WAITERS_H_
