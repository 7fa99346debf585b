#ifndef BERTH_SCHEDULER_CORE_ACTIVE_TIMES_H_
#define BERTH_SCHEDULER_CORE_ACTIVE_TIMES_H_

// Which jobs may have taken too long: nobody has to look at all that are active. A value, owned by
// the Cluster; one thread.

#include <algorithm>
#include <functional>
#include <utility>
#include <vector>

#include "absl/time/time.h"

#include "scheduler/core/job.h"

namespace berth {

class ActiveTimes {
 public:
  // For a job whose state, times or limit are new. An array has none of its own. What was noted of
  // the job before stays until its time comes.
  void Note(const Job& job) {
    if (job.is_array()) {
      return;
    }
    if (job.state == JobState::kDispatching) {
      Push(dispatched_, {job.attempt.created_at, job.id});
    }
    if (job.state == JobState::kRunning) {
      Push(limits_, {LimitOf(job), job.id});
    }
  }
  // Takes those that may have been dispatched before the one time, or have their limit, less their
  // grace, before the other; by id. What is no longer so of them, the caller finds out; of what
  // still is, he makes a note again.
  std::vector<JobId> TakeBefore(absl::Time dispatched, absl::Time limit) {
    std::vector<JobId> jobs;
    TakeBefore(dispatched_, dispatched, jobs);
    TakeBefore(limits_, limit, jobs);
    std::sort(jobs.begin(), jobs.end());
    jobs.erase(std::unique(jobs.begin(), jobs.end()), jobs.end());
    return jobs;
  }
  // Entries, those of jobs that are over too.
  size_t size() const { return dispatched_.size() + limits_.size(); }

  using Entry = std::pair<absl::Time, JobId>;
  using Heap = std::vector<Entry>;  // the earliest in front
  const Heap& dispatched() const { return dispatched_; }
  const Heap& limits() const { return limits_; }
  // When it has its time limit, less its grace.
  static absl::Time LimitOf(const Job& job) {
    return job.attempt.started_at + job.spec.time_limit - job.spec.grace;
  }

 private:
  static void Push(Heap& heap, Entry entry) {
    heap.push_back(entry);
    std::push_heap(heap.begin(), heap.end(), std::greater<>());
  }
  static void TakeBefore(Heap& heap, absl::Time time, std::vector<JobId>& jobs) {
    while (!heap.empty() && heap.front().first < time) {
      jobs.push_back(heap.front().second);
      std::pop_heap(heap.begin(), heap.end(), std::greater<>());
      heap.pop_back();
    }
  }

  Heap dispatched_;  // by when they were started
  Heap limits_;
};

}  // namespace berth

#endif  // BERTH_SCHEDULER_CORE_ACTIVE_TIMES_H_
