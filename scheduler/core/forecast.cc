#include "scheduler/core/forecast.h"

#include <algorithm>
#include <optional>
#include <set>
#include <tuple>
#include <utility>

#include "scheduler/core/job_progress.h"
#include "scheduler/core/plan_application.h"
#include "scheduler/core/planner.h"

namespace berth {
namespace {

// The first rounds follow every end; later ones are held only when a fifth more time has gone by.
constexpr int kExactRounds = 16;
constexpr int kCoarseness = 5;
constexpr absl::Duration kLeastGap = absl::Seconds(30);
constexpr int kWholePercent = 100;

// One run forward of a fork of its own.
class Run {
 public:
  Run(Cluster fork, const Policy& policy, absl::Time now, int usage_percent)
      : fork_(std::move(fork)),
        policy_(policy),
        begin_(now),
        now_(now),
        usage_percent_(usage_percent) {
    fork_.WakeJobs(now);
    for (JobId id : fork_.active_jobs()) {
      Watch(id);
    }
  }

  // Where and, in now(), when the job starts; nothing if a bound is reached first.
  std::optional<Start> UntilStart(JobId job, const ForecastLimits& limits) {
    while (rounds_ < limits.rounds_max && now_ - begin_ <= limits.horizon) {
      if (std::optional<Start> start = Round(job); start.has_value()) {
        return start;
      }
      if (!GoOn()) {
        return std::nullopt;
      }
    }
    return std::nullopt;
  }

  absl::Time now() const { return now_; }
  int rounds() const { return rounds_; }
  // The jobs of the fork that ended, or gave devices back, until now.
  const std::map<JobId, AwaitedEnd>& ended() const { return ended_; }

 private:
  // When what a job does now is over.
  absl::Time EndOf(const Job& job) const {
    if (job.state == JobState::kStopping || IsShrinking(job)) {
      return now_ + job.attempt.stop_grace + policy_.kill_timeout;
    }
    const absl::Time start = std::max(job.attempt.started_at, job.attempt.created_at);
    const absl::Time usual = start + job.spec.time_limit / kWholePercent * usage_percent_;
    const absl::Time last = start + job.spec.time_limit;
    // One that has outlived what is usual uses that part of the rest.
    const absl::Duration rest = (last - now_) / kWholePercent * usage_percent_;
    return std::max(usual >= now_ ? usual : now_ + rest, now_);
  }

  bool IsShrinking(const Job& job) const {
    return job.state == JobState::kRunning &&
           std::any_of(job.allocations.begin(), job.allocations.end(), [this](AllocationId id) {
             return fork_.GetAllocation(id).state == AllocationState::kReleasing;
           });
  }

  void Watch(JobId id) {
    const absl::Time end = EndOf(fork_.GetJob(id));
    const auto [known, added] = end_of_.emplace(id, end);
    if (!added) {
      ends_.erase({known->second, id});
      known->second = end;
    }
    ends_.insert({end, id});
  }

  std::optional<Start> Round(JobId job) {
    ++rounds_;
    std::vector<NodeCommand> commands;
    const Step step{fork_, policy_, 0, now_, commands};
    Plan plan = MakePlan(fork_, policy_, now_);
    for (const Start& start : plan.starts) {
      if (start.job == job || fork_.GetJob(start.job).array == job) {
        return start;
      }
    }
    next_look_ = plan.next_look;
    cut_ = static_cast<int>(plan.starts.size()) >= policy_.starts_per_round_max;
    std::set<JobId> recalled;
    for (const Recall& recall : plan.recalls) {
      for (const ReclaimCandidate& candidate : recall.certificate.candidates) {
        if (candidate.chosen) {
          recalled.insert(candidate.job);
        }
      }
    }
    ApplyPlan(step, std::move(plan));
    for (JobId id : recalled) {
      if (IsActive(fork_.GetJob(id).state)) {
        Watch(id);
      }
    }
    RunStarted();
    return std::nullopt;
  }

  // What the round started runs at once.
  void RunStarted() {
    std::vector<JobId> started;
    for (JobId id : fork_.active_jobs()) {
      if (!end_of_.contains(id)) {
        started.push_back(id);
      }
    }
    for (JobId id : started) {
      const std::vector<AllocationId> members = fork_.GetJob(id).allocations;
      for (AllocationId member : members) {
        fork_.MoveAllocation(member, AllocationState::kSent);
        fork_.MoveAllocation(member, AllocationState::kRunning);
      }
      if (fork_.GetJob(id).state == JobState::kDispatching) {
        fork_.MoveAttempt(id, AttemptState::kPrepared);
        fork_.MoveAttempt(id, AttemptState::kStarting);
        fork_.MoveJob(id, JobState::kStarting);
      }
      fork_.MoveAttempt(id, AttemptState::kRunning);
      fork_.MoveJob(id, JobState::kRunning);
      fork_.SetStarted(id, now_);
      Watch(id);
    }
  }

  // On to the time of the next round; false if nothing will happen any more.
  bool GoOn() {
    if (cut_) {
      return true;
    }
    absl::Time next = NextEvent();
    if (next == absl::InfiniteFuture()) {
      return false;
    }
    if (rounds_ >= kExactRounds) {
      next = std::max(next, now_ + std::max((now_ - begin_) / kCoarseness, kLeastGap));
    }
    while (!ends_.empty() && ends_.begin()->first <= next) {
      now_ = ends_.begin()->first;
      End(ends_.begin()->second);
    }
    now_ = next;
    fork_.WakeJobs(now_);
    return true;
  }

  absl::Time NextEvent() const {
    absl::Time next = absl::InfiniteFuture();
    if (!ends_.empty()) {
      next = ends_.begin()->first;
    }
    if (next_look_ > now_) {
      next = std::min(next, next_look_);
    }
    return std::min(next, fork_.NextWake().value_or(absl::InfiniteFuture()));
  }

  // The job succeeds, or gives back what it was asked for.
  void End(JobId id) {
    ends_.erase({end_of_.at(id), id});
    end_of_.erase(id);
    const Job& job = fork_.GetJob(id);
    const bool shrinks = IsShrinking(job);
    const bool asked = shrinks || job.state == JobState::kStopping;
    AwaitedEnd end{.job = id, .tenant = job.spec.tenant, .nodes = {}, .by = now_};
    end.recalled = asked && (shrinks || job.attempt.end.reason == EndReason::kPreempted);
    ended_.emplace(id, std::move(end));
    std::vector<NodeCommand> commands;
    const Step step{fork_, policy_, 0, now_, commands};
    for (AllocationId member : std::vector<AllocationId>(job.allocations)) {
      const AllocationState state = fork_.GetAllocation(member).state;
      if (state == AllocationState::kReleased ||
          (shrinks && state != AllocationState::kReleasing)) {
        continue;
      }
      TaskReport report;
      report.allocation = member;
      report.job = id;
      report.kind = asked ? ReportKind::kKilled : ReportKind::kExited;
      report.stop_reason = asked ? StopReason::kPreempted : StopReason::kNone;
      ApplyReport(step, report);
    }
    if (IsActive(fork_.GetJob(id).state)) {
      Watch(id);  // an elastic gang goes on
    }
  }

  Cluster fork_;
  const Policy& policy_;
  const absl::Time begin_;
  absl::Time now_;
  const int usage_percent_;
  std::set<std::pair<absl::Time, JobId>> ends_;
  std::map<JobId, absl::Time> end_of_;  // of active jobs
  std::map<JobId, AwaitedEnd> ended_;
  absl::Time next_look_ = absl::InfiniteFuture();
  bool cut_ = false;
  int rounds_ = 0;
};

// The jobs that held these places when the run began, by their ends.
std::vector<AwaitedEnd> AwaitedAt(const Cluster& before, const std::vector<Placement>& places,
                                  const std::map<JobId, AwaitedEnd>& ended) {
  std::map<JobId, AwaitedEnd> awaited;
  for (const Placement& place : places) {
    std::set<int> wanted;
    for (const DeviceShare& share : place.devices) {
      wanted.insert(share.index);
    }
    for (AllocationId id : before.AllocationsOn(place.node)) {
      const Allocation& allocation = before.GetAllocation(id);
      const bool in_the_way =
          std::any_of(allocation.devices.begin(), allocation.devices.end(),
                      [&](const DeviceShare& share) { return wanted.contains(share.index); });
      const auto end = ended.find(allocation.job);
      if (in_the_way && end != ended.end()) {
        awaited.emplace(allocation.job, end->second).first->second.nodes.push_back(place.node);
      }
    }
  }
  std::vector<AwaitedEnd> list;
  list.reserve(awaited.size());
  for (auto& [id, end] : awaited) {
    list.push_back(std::move(end));
  }
  std::sort(list.begin(), list.end(), [](const AwaitedEnd& a, const AwaitedEnd& b) {
    return std::tie(a.by, a.job) < std::tie(b.by, b.job);
  });
  return list;
}

absl::Time StartOf(Run run, JobId job, const ForecastLimits& limits) {
  return run.UntilStart(job, limits).has_value() ? run.now() : absl::InfiniteFuture();
}

}  // namespace

absl::Time ForecastLatest(const Fork& fork, const Policy& policy, JobId job, absl::Time now,
                          const ForecastLimits& limits) {
  return StartOf(Run(fork.cluster, policy, now, kWholePercent), job, limits);
}

Forecast ForecastStart(const Fork& fork, const Policy& policy, JobId job, absl::Time now,
                       const ForecastLimits& limits) {
  Forecast forecast;
  forecast.complete = fork.complete;
  Run run(fork.cluster, policy, now, kWholePercent);
  const std::optional<Start> start = run.UntilStart(job, limits);
  forecast.rounds = run.rounds();
  if (!start.has_value()) {
    return forecast;
  }
  forecast.state = run.now() == now ? ForecastState::kNow : ForecastState::kLater;
  forecast.latest = run.now();
  forecast.device_class = start->device_class;
  forecast.funding = start->funding;
  for (const Placement& place : start->members) {
    forecast.nodes.push_back(place.node);
  }
  forecast.waits_for = AwaitedAt(fork.cluster, start->members, run.ended());
  forecast.waits_for_count = static_cast<int64_t>(forecast.waits_for.size());
  forecast.waits_for.resize(std::min(forecast.waits_for.size(), Forecast::kAwaitedMax));
  if (forecast.state == ForecastState::kNow) {
    forecast.likely_from = forecast.likely_to = now;
    return forecast;
  }
  const absl::Time one =
      StartOf(Run(fork.cluster, policy, now, limits.usage_percent_min), job, limits);
  const absl::Time other =
      StartOf(Run(fork.cluster, policy, now, limits.usage_percent_max), job, limits);
  forecast.likely_from = std::min({one, other, forecast.latest});
  forecast.likely_to = std::min(std::max(one, other), forecast.latest);
  return forecast;
}

}  // namespace berth
