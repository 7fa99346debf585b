// The part of Cluster that knows arrays: one record in the queue until its tasks start, and its end
// with its last task.

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_format.h"

#include "common/check.h"
#include "scheduler/core/cluster.h"

namespace berth {
namespace {

// The state in which the array ends; its end is that of its tasks, too.
JobState CloseTasks(Job& array) {
  if (array.attempt.end.reason == EndReason::kNone) {
    array.attempt.end.reason = EndReason::kExit;
  }
  if (array.cancel_requested) {
    return JobState::kCancelled;
  }
  if (array.tasks.failed > 0) {
    return JobState::kFailed;
  }
  return array.tasks.cancelled > 0 ? JobState::kCancelled : JobState::kSucceeded;
}

// "exit:3", "signal:9", "oom"
std::string EndWord(const JobEnd& end) {
  std::string word(Name(end.reason));
  if (end.reason == EndReason::kExit) {
    absl::StrAppendFormat(&word, ":%d", end.exit_code);
  } else if (end.reason == EndReason::kSignal) {
    absl::StrAppendFormat(&word, ":%d", end.signal);
  }
  return word;
}

JobEnd EndOfTasks(const Job& task) {
  JobEnd end = task.attempt.end;
  end.message = absl::StrFormat("task %d (job %d): %s", task.array_index, task.id.value(),
                                end.message.empty() ? EndWord(end) : end.message);
  return end;
}

bool FailedTooOften(const Job& array) {
  const int bound = array.spec.array.fails_max;
  return bound > 0 && array.tasks.failed >= bound;
}

// Why tasks that have not started never will, beside how the first one failed.
void NoteRestLeft(Job& array, int unstarted) {
  absl::StrAppendFormat(&array.attempt.end.message,
                        "; %d failed, as many as may (--max-fails): %d were cancelled unstarted",
                        array.tasks.failed, unstarted);
}

// Tasks that were cancelled before it was their turn are passed over.
void PassCancelled(Job& array) {
  ArrayRange& range = array.spec.array;
  while (range.cancelled_ahead > 0 && range.IsCancelled(range.IndexAt(array.tasks.next))) {
    ++array.tasks.next;
    --range.cancelled_ahead;
  }
}

}  // namespace

int Cluster::UnstartedTasks(const Job& job) {
  const ArrayRange& range = job.spec.array;
  return job.is_array() ? range.count - job.tasks.next - range.cancelled_ahead : 1;
}

int Cluster::Startable(const Job& job) {
  const int left = UnstartedTasks(job);
  const int bound = job.spec.array.concurrent_max;
  return bound == 0 ? left : std::min(left, std::max(bound - job.tasks.live, 0));
}

const std::set<JobId>& Cluster::TasksOf(JobId array) const {
  static const std::set<JobId> kNone;
  const auto found = array_tasks_.find(array);
  return found == array_tasks_.end() ? kNone : found->second;
}

JobId Cluster::AddTask(JobId array_id) {
  Job& array = MutableJob(array_id);
  BERTH_CHECK(array.state == JobState::kQueued && Startable(array) > 0);
  last_job_ = JobId(last_job_.value() + 1);
  Job task;
  task.id = last_job_;
  task.spec = array.spec;
  task.spec.array = ArrayRange();
  task.spec.hold = false;
  task.spec.begin_at = absl::InfinitePast();
  task.state = JobState::kQueued;
  task.submitted_at = array.submitted_at;
  task.array = array_id;
  task.array_index = array.spec.array.IndexAt(array.tasks.next);
  UnindexPending(array);
  ++array.tasks.next;
  ++array.tasks.live;
  PassCancelled(array);
  if (UnstartedTasks(array) > 0) {
    IndexPending(array);
  } else {
    Advance(array.state, JobState::kRunning);
    DecideStarted(array_id);
  }
  return InsertJob(std::move(task));
}

void Cluster::CancelTasks(JobId id, absl::Time now) {
  Job& array = MutableJob(id);
  if (array.tasks.live == 0) {
    array.tasks.cancelled += UnstartedTasks(array);
    FinishJob(id, JobState::kCancelled, now);
    return;
  }
  if (IsPending(array)) {
    UnindexPending(array);
    LeaveRest(array);
  }
  if (array.state == JobState::kRunning) {
    Advance(array.state, JobState::kStopping);
  }
}

void Cluster::CancelUnstarted(JobId id, std::vector<IndexRange> cancelled, absl::Time now) {
  Job& array = MutableJob(id);
  ArrayRange& range = array.spec.array;
  UnindexPending(array);
  const int before = range.CancelledFrom(0);
  SetCancelled(range, std::move(cancelled));
  const int added = range.CancelledFrom(0) - before;
  range.cancelled_ahead += added;
  array.tasks.cancelled += added;
  PassCancelled(array);
  if (UnstartedTasks(array) > 0) {
    IndexPending(array);
    return;
  }
  LeaveRest(array);
  if (array.tasks.live > 0) {
    DecideStarted(id);
  } else {
    FinishJob(id, CloseTasks(array), now);
  }
}

void Cluster::LeaveRest(Job& array) {
  if (array.state == JobState::kHeld) {
    Advance(array.state, JobState::kQueued);
  }
  Advance(array.state, JobState::kRunning);
  array.tasks.cancelled += UnstartedTasks(array);
  array.tasks.next = array.spec.array.count;
  array.spec.array.cancelled_ahead = 0;
}

void Cluster::NoteTaskEnded(JobId id, absl::Time now, std::vector<JobId>& ended) {
  const Job& task = jobs_.at(id);
  if (!task.array) {
    return;
  }
  Job& array = MutableJob(task.array);
  bool pending = IsPending(array);
  if (pending) {
    UnindexPending(array);
  }
  std::set<JobId>& live = array_tasks_.at(array.id);
  live.erase(id);
  array.tasks.live = static_cast<int>(live.size());
  if (live.empty()) {
    array_tasks_.erase(array.id);
  }
  if (task.state == JobState::kSucceeded) {
    ++array.tasks.succeeded;
  } else if (task.state == JobState::kCancelled) {
    ++array.tasks.cancelled;
  } else if (++array.tasks.failed == 1 && !array.cancel_requested) {
    array.attempt.end = EndOfTasks(task);
  }
  const bool failed = task.state != JobState::kSucceeded && task.state != JobState::kCancelled;
  if (FailedTooOften(array) && (pending || failed)) {
    EndUnstarted(array, now, ended);
    pending = false;
  }
  if (pending) {
    IndexPending(array);
  } else if (array.tasks.live == 0) {
    EndJob(array.id, CloseTasks(array), now);
    ended.push_back(array.id);
  }
}

void Cluster::EndUnstarted(Job& array, absl::Time now, std::vector<JobId>& ended) {
  std::vector<JobId> claiming;  // a task that has a claim, or had one, is a job that never started
  for (JobId id : TasksOf(array.id)) {
    const Job& task = jobs_.at(id);
    if (IsPending(task) && task.attempt.state == AttemptState::kNone) {
      claiming.push_back(id);
    }
  }
  const bool pending = IsPending(array);
  const int left = (pending ? UnstartedTasks(array) : 0) + static_cast<int>(claiming.size());
  if (left > 0) {
    NoteRestLeft(array, left);
  }
  if (pending) {
    LeaveRest(array);
    DecideStarted(array.id);
  }
  for (JobId id : claiming) {
    ReplaceEnd(id, {.reason = EndReason::kCancelled,
                    .message = "as many tasks of its array have failed as may (--max-fails)"});
    EndJob(id, JobState::kCancelled, now);
    ended.push_back(id);
  }
}

}  // namespace berth
