#include "sim/policies/queue_policies.h"

#include <algorithm>
#include <numeric>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "sim/policies/waiting_jobs.h"

namespace berth::sim {
namespace {

enum class Order { kSubmission, kEstimate };

struct Rules {
  Order queue = Order::kSubmission;  // whose turn it is
  bool backfill = false;
  Order backfill_order = Order::kSubmission;
};

// Ranks of the jobs in an order; the order of submission decides between equals.
std::vector<int> RanksOf(const ReplayInput& input, Order order) {
  std::vector<int> jobs(input.jobs.size());
  std::iota(jobs.begin(), jobs.end(), 0);
  if (order == Order::kEstimate) {
    std::stable_sort(jobs.begin(), jobs.end(), [&input](int a, int b) {
      return input.EstimateOf(input.jobs[a]) < input.EstimateOf(input.jobs[b]);
    });
  }
  std::vector<int> ranks(jobs.size());
  for (int rank = 0; rank < static_cast<int>(jobs.size()); ++rank) {
    ranks[jobs[rank]] = rank;
  }
  return ranks;
}

std::vector<int> Inverse(const std::vector<int>& ranks) {
  std::vector<int> jobs(ranks.size());
  for (int job = 0; job < static_cast<int>(ranks.size()); ++job) {
    jobs[ranks[job]] = job;
  }
  return jobs;
}

class QueueRun {
 public:
  QueueRun(const ReplayInput& input, const Rules& rules)
      : input_(input),
        rules_(rules),
        pool_(input.pool),
        queue_rank_(RanksOf(input, rules.queue)),
        queue_job_(Inverse(queue_rank_)),
        backfill_rank_(RanksOf(input, rules.backfill_order)),
        backfill_job_(Inverse(backfill_rank_)),
        waiting_(static_cast<int>(input.jobs.size())),
        grants_(input.jobs.size()),
        times_(input.jobs.size()) {}

  Replay Run() {
    while (next_submission_ < input_.jobs.size() || !ends_.empty()) {
      now_ = NextTime();
      FreeEstimatedEnds();
      while (next_submission_ < input_.jobs.size() &&
             input_.jobs[next_submission_].submit_us == now_) {
        Submit(static_cast<int>(next_submission_++));
      }
      while (!ends_.empty() && ends_.begin()->first == now_) {
        const int job = ends_.begin()->second;
        ends_.erase(ends_.begin());
        Release(job);
        Pass();
      }
      usage_.push_back(
          {now_, pool_.capacity() - pool_.free(), static_cast<int64_t>(queue_.size())});
    }
    return {std::move(times_), std::move(usage_)};
  }

 private:
  // What the first in line was promised in the last pass.
  struct Reservation {
    int64_t at_us = 0;
    DevicePool spare;   // free then, beside what the first takes
    DevicePool usable;  // free now and spare then
  };

  int64_t NextTime() const {
    int64_t next = ends_.empty() ? INT64_MAX : ends_.begin()->first;
    if (next_submission_ < input_.jobs.size()) {
      next = std::min(next, input_.jobs[next_submission_].submit_us);
    }
    return next;
  }

  int64_t EstimateOf(int job) const { return input_.EstimateOf(input_.jobs[job]); }
  bool IsOver(int job) const { return times_[job].end_us <= now_; }

  // Gives back what the job holds, once.
  void Release(int job) {
    if (estimated_ends_.erase({times_[job].start_us + EstimateOf(job), job}) > 0) {
      pool_.Give(grants_[job]);
      grants_[job] = Grant();
      reservation_.reset();
    }
  }

  void FreeEstimatedEnds() {
    for (auto entry = estimated_ends_.begin();
         entry != estimated_ends_.end() && entry->first <= now_;) {
      const int job = (entry++)->second;
      if (IsOver(job)) {
        Release(job);
      }
    }
  }

  void Submit(int job) {
    const int64_t devices = input_.jobs[job].devices;
    if (!input_.pool.CouldHold(devices)) {
      return;
    }
    queue_.insert(queue_rank_[job]);
    waiting_.Add(backfill_rank_[job], devices, EstimateOf(job));
    if (reservation_.has_value() && queue_job_[*queue_.begin()] != job) {
      // Nothing became free since the last pass: only the new job can have something to gain.
      if (waiting_.Meets(backfill_rank_[job], BackfillNeed())) {
        TryBackfill(job);
      }
      return;
    }
    Pass();
  }

  void Start(int job, Grant grant) {
    queue_.erase(queue_rank_[job]);
    waiting_.Remove(backfill_rank_[job]);
    times_[job] = {now_, now_ + input_.jobs[job].run_us};
    ends_.insert({times_[job].end_us, job});
    if (IsOver(job) && EstimateOf(job) == 0) {
      return;  // gone as soon as it came
    }
    pool_.Take(grant);
    grants_[job] = std::move(grant);
    estimated_ends_.insert({now_ + EstimateOf(job), job});
  }

  void Pass() {
    reservation_.reset();
    while (!queue_.empty()) {
      const int job = queue_job_[*queue_.begin()];
      std::optional<Grant> grant = pool_.Find(input_.jobs[job].devices);
      if (!grant.has_value()) {
        break;
      }
      Start(job, *std::move(grant));
    }
    if (!rules_.backfill || queue_.empty()) {
      return;
    }
    const int first = queue_job_[*queue_.begin()];
    Reserve(first);
    waiting_.Remove(backfill_rank_[first]);
    for (int rank = waiting_.Next(0, BackfillNeed()); rank >= 0;
         rank = waiting_.Next(rank + 1, BackfillNeed())) {
      TryBackfill(backfill_job_[rank]);
    }
    waiting_.Add(backfill_rank_[first], input_.jobs[first].devices, EstimateOf(first));
  }

  // Requires: the job does not fit now, and does when all is idle.
  void Reserve(int job) {
    const int64_t devices = input_.jobs[job].devices;
    DevicePool later = pool_;
    int64_t at = now_;
    std::optional<Grant> grant;
    auto entry = estimated_ends_.begin();
    while (!grant.has_value()) {
      at = entry->first;
      for (; entry != estimated_ends_.end() && entry->first == at; ++entry) {
        later.Give(grants_[entry->second]);
      }
      grant = later.Find(devices);
    }
    later.Take(*grant);
    DevicePool usable = pool_;
    usable.Intersect(later);
    reservation_ = Reservation{at, std::move(later), std::move(usable)};
  }

  WaitingJobs::Need BackfillNeed() const {
    return {pool_.free(), reservation_->at_us - now_, reservation_->usable.free()};
  }

  void TryBackfill(int job) {
    const int64_t devices = input_.jobs[job].devices;
    const bool ends_in_time = now_ + EstimateOf(job) <= reservation_->at_us;
    std::optional<Grant> grant =
        ends_in_time ? pool_.Find(devices) : reservation_->usable.Find(devices);
    if (!grant.has_value()) {
      return;
    }
    if (!ends_in_time) {
      reservation_->spare.Take(*grant);
    }
    Start(job, *std::move(grant));
    reservation_->usable = pool_;
    reservation_->usable.Intersect(reservation_->spare);
  }

  const ReplayInput& input_;
  const Rules rules_;
  DevicePool pool_;
  const std::vector<int> queue_rank_;  // [job]
  const std::vector<int> queue_job_;   // [rank]
  const std::vector<int> backfill_rank_;
  const std::vector<int> backfill_job_;
  std::set<int> queue_;  // ranks of those that wait
  WaitingJobs waiting_;  // the same by their rank for backfilling
  std::vector<Grant> grants_;
  std::vector<JobTimes> times_;
  std::vector<UsagePoint> usage_;
  size_t next_submission_ = 0;
  std::set<std::pair<int64_t, int>> ends_;            // (end, job) of all that run
  std::set<std::pair<int64_t, int>> estimated_ends_;  // (estimated end, job) of all that hold
  std::optional<Reservation> reservation_;
  int64_t now_ = 0;
};

}  // namespace

Replay RunFifo(const ReplayInput& input) {
  return QueueRun(input, {}).Run();
}

Replay RunSjf(const ReplayInput& input) {
  return QueueRun(input, {.queue = Order::kEstimate}).Run();
}

Replay RunEasy(const ReplayInput& input) {
  return QueueRun(input, {.backfill = true}).Run();
}

Replay RunEasySjbf(const ReplayInput& input) {
  return QueueRun(input, {.backfill = true, .backfill_order = Order::kEstimate}).Run();
}

}  // namespace berth::sim
