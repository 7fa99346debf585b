#include "scheduler/core/forecast.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <tuple>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/container/inlined_vector.h"

#include "scheduler/core/plan_application.h"
#include "scheduler/core/planner.h"

namespace berth {
namespace {

// The first rounds follow every end; later ones are held only when a quarter more time has gone by.
constexpr int kExactRounds = 8;
constexpr int kCoarseness = 4;
constexpr absl::Duration kLeastGap = absl::Seconds(30);
constexpr int kWholePercent = 100;

// A span instead of a time: if jobs use the least, or the most, of what they usually use.
struct Likely {
  absl::Time from = absl::InfinitePast();
  absl::Time to = absl::InfinitePast();

  void RaiseTo(const Likely& other) {
    from = std::max(from, other.from);
    to = std::max(to, other.to);
  }
  void LowerTo(absl::Time time) {
    from = std::min(from, time);
    to = std::min(to, time);
  }
};

// The likely times of a run by the limits: a job likely starts when what it waited for has likely
// ended, on the longest path. The decisions stay those of the run.
class LikelyTimes {
 public:
  LikelyTimes(absl::Time begin, const ForecastLimits& limits) : begin_(begin), limits_(limits) {}

  void NoteStart(const Cluster& fork, const Job& job, absl::Time now) {
    std::vector<Placement> places;
    for (AllocationId id : job.allocations) {
      const Allocation& allocation = fork.GetAllocation(id);
      places.push_back({allocation.node, allocation.devices});
    }
    starts_[job.id] = StartOn(places, job.spec.tenant, now);
  }

  // When what takes these devices now likely takes them.
  Likely StartOn(const std::vector<Placement>& places, TenantId tenant, absl::Time now) const {
    Likely start{begin_, begin_};
    bool waited = false;  // for one of these devices, in the last step of the run
    for (const Placement& place : places) {
      for (const DeviceShare& share : place.devices) {
        if (const auto freed = freed_.find({place.node, share.index}); freed != freed_.end()) {
          start.RaiseTo(freed->second.when);
          waited = waited || freed->second.step == step_;
        }
      }
    }
    if (!waited) {  // for a quota, for its turn, or for a time
      const auto own = ended_.find(tenant);
      start.RaiseTo(own != ended_.end() ? own->second : ended_.empty() ? Likely{now, now} : last_);
    }
    start.LowerTo(now);
    return start;
  }

  // The job gives these allocations back, by the limits now.
  void NoteEnd(const Cluster& fork, const Job& job, absl::Time now) {
    const bool shrinks = IsShrinking(fork, job);
    Likely end = shrinks ? Likely{now, now} : EndOf(job, now);
    end.LowerTo(now);
    for (AllocationId id : job.allocations) {
      const Allocation& allocation = fork.GetAllocation(id);
      if (shrinks && allocation.state != AllocationState::kReleasing) {
        continue;
      }
      for (const DeviceShare& share : allocation.devices) {
        freed_[{allocation.node, share.index}] = {end, step_};
      }
    }
    ended_[job.spec.tenant].RaiseTo(end);
    last_.RaiseTo(end);
  }

  // What ends from here on makes room for the next round.
  void NextStep() {
    ++step_;
    ended_.clear();
    last_ = Likely();
  }

 private:
  struct Freed {
    Likely when;
    int step = 0;
  };

  Likely EndOf(const Job& job, absl::Time now) const {
    if (job.state == JobState::kStopping) {
      return {now, now};
    }
    const auto started = starts_.find(job.id);
    if (started != starts_.end()) {
      return {started->second.from + Part(job.spec.time_limit, limits_.usage_percent_min),
              started->second.to + Part(job.spec.time_limit, limits_.usage_percent_max)};
    }
    return {EndOfRunning(job, limits_.usage_percent_min),
            EndOfRunning(job, limits_.usage_percent_max)};
  }

  // Of one that ran already. If it has outlived what is usual, it uses that part of the rest.
  absl::Time EndOfRunning(const Job& job, int percent) const {
    const absl::Time start = std::max(job.attempt.started_at, job.attempt.created_at);
    const absl::Time usual = start + Part(job.spec.time_limit, percent);
    const absl::Time last = std::max(start + job.spec.time_limit, begin_);
    return usual >= begin_ ? usual : begin_ + Part(last - begin_, percent);
  }

  static absl::Duration Part(absl::Duration whole, int percent) {
    return whole / kWholePercent * percent;
  }

  const absl::Time begin_;
  const ForecastLimits& limits_;
  absl::flat_hash_map<std::pair<NodeId, int>, Freed> freed_;
  absl::flat_hash_map<JobId, Likely> starts_;  // of the run
  std::map<TenantId, Likely> ended_;           // in this step
  Likely last_;                                // of all in this step
  int step_ = 0;
};

// One run forward of a fork of its own.
class Run {
 public:
  // `takes_notes`: of what AwaitedAt and LikelyStart tell. Without them a run is faster.
  Run(Cluster fork, const Policy& policy, absl::Time now, const ForecastLimits& limits,
      bool takes_notes)
      : fork_(std::move(fork)),
        policy_(policy),
        limits_(limits),
        takes_notes_(takes_notes),
        begin_(now),
        now_(now),
        at_begin_(LastAllocation()),
        likely_(now, limits) {
    fork_.WakeJobs(now);
    for (JobId id : fork_.active_jobs()) {
      Watch(id);
    }
  }

  // Where and, in now(), when the job starts; nothing if a bound is reached first.
  std::optional<Start> UntilStart(JobId job) {
    while (rounds_ < limits_.rounds_max && now_ - begin_ <= limits_.horizon) {
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
  Likely LikelyStart(const Start& start) const {
    const TenantId tenant = fork_.GetJob(start.job).spec.tenant;
    return likely_.StartOn(start.members, tenant, now_);
  }

  // The jobs that held these places when the run began, by their ends.
  std::vector<AwaitedEnd> AwaitedAt(const std::vector<Placement>& places) const {
    std::map<JobId, AwaitedEnd> awaited;
    for (const Placement& place : places) {
      std::set<JobId> here;
      for (const DeviceShare& share : place.devices) {
        if (const auto held = held_.find({place.node, share.index}); held != held_.end()) {
          here.insert(held->second.begin(), held->second.end());
        }
      }
      for (JobId id : here) {
        awaited.emplace(id, ended_.at(id)).first->second.nodes.push_back(place.node);
      }
    }
    std::vector<AwaitedEnd> list;
    for (auto& [id, end] : awaited) {
      list.push_back(std::move(end));
    }
    std::sort(list.begin(), list.end(), [](const AwaitedEnd& a, const AwaitedEnd& b) {
      return std::tie(a.by, a.job) < std::tie(b.by, b.job);
    });
    return list;
  }

 private:
  AllocationId LastAllocation() const {
    const auto& all = fork_.allocations();
    return all.empty() ? AllocationId() : all.rbegin()->first;
  }

  // When what a job does now is over.
  absl::Time EndOf(const Job& job) const {
    if (job.state == JobState::kStopping || IsShrinking(fork_, job)) {
      return now_ + job.attempt.stop_grace + policy_.kill_timeout;
    }
    const absl::Time start = std::max(job.attempt.started_at, job.attempt.created_at);
    return std::max(start + job.spec.time_limit, now_);
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
    const AllocationId last = LastAllocation();
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
    RunStarted(last);
    return std::nullopt;
  }

  // What the round started runs at once: the jobs of the allocations after the `last` before it.
  void RunStarted(AllocationId last) {
    std::set<JobId> started;
    const auto& all = fork_.allocations();
    for (auto made = all.upper_bound(last); made != all.end(); ++made) {
      started.insert(made->second.job);
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
      fork_.SetStarted(id, now_, policy_.kill_timeout);
      if (takes_notes_) {
        likely_.NoteStart(fork_, fork_.GetJob(id), now_);
      }
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
    likely_.NextStep();
    while (!ends_.empty() && ends_.begin()->first <= next) {
      now_ = ends_.begin()->first;
      End(ends_.begin()->second);
    }
    now_ = next;
    fork_.WakeJobs(now_);
    return true;
  }

  absl::Time NextEvent() const {
    absl::Time next = ends_.empty() ? absl::InfiniteFuture() : ends_.begin()->first;
    if (next_look_ > now_) {
      next = std::min(next, next_look_);
    }
    return std::min(next, fork_.NextWake().value_or(absl::InfiniteFuture()));
  }

  // The job succeeds, or gives back what it was asked for.
  void End(JobId id) {
    ends_.erase({end_of_.at(id), id});
    end_of_.erase(id);
    if (takes_notes_) {
      NoteHeld(fork_.GetJob(id));
      likely_.NoteEnd(fork_, fork_.GetJob(id), now_);
    }
    EndInFork(fork_, policy_, id, now_);
    if (IsActive(fork_.GetJob(id).state)) {
      Watch(id);  // an elastic gang goes on
    }
  }

  // Of a job that held devices when the run began, the first time.
  void NoteHeld(const Job& job) {
    if (job.allocations.front() > at_begin_ || ended_.contains(job.id)) {
      return;
    }
    const bool preempted =
        job.state == JobState::kStopping && job.attempt.end.reason == EndReason::kPreempted;
    ended_[job.id] = {job.id, job.spec.tenant, {}, now_, preempted || IsShrinking(fork_, job)};
    for (AllocationId allocation : job.allocations) {
      const Allocation& member = fork_.GetAllocation(allocation);
      for (const DeviceShare& share : member.devices) {
        held_[{member.node, share.index}].push_back(job.id);
      }
    }
  }

  Cluster fork_;
  const Policy& policy_;
  const ForecastLimits& limits_;
  const bool takes_notes_;
  const absl::Time begin_;
  absl::Time now_;
  const AllocationId at_begin_;  // the last when the run began
  LikelyTimes likely_;
  std::set<std::pair<absl::Time, JobId>> ends_;
  absl::flat_hash_map<JobId, absl::Time> end_of_;  // of active jobs
  // The jobs that held devices when the run began and ended, or gave devices back, until now.
  absl::flat_hash_map<JobId, AwaitedEnd> ended_;
  absl::flat_hash_map<std::pair<NodeId, int>, absl::InlinedVector<JobId, 1>> held_;
  absl::Time next_look_ = absl::InfiniteFuture();
  bool cut_ = false;
  int rounds_ = 0;
};

}  // namespace

absl::Time ForecastLatest(Cluster fork, const Policy& policy, JobId job, absl::Time now,
                          const ForecastLimits& limits) {
  Run run(std::move(fork), policy, now, limits, false);
  return run.UntilStart(job).has_value() ? run.now() : absl::InfiniteFuture();
}

Forecast ForecastStart(Cluster fork, const Policy& policy, JobId job, absl::Time now,
                       const ForecastLimits& limits) {
  Forecast forecast;
  Run run(std::move(fork), policy, now, limits, true);
  const std::optional<Start> start = run.UntilStart(job);
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
  forecast.waits_for = run.AwaitedAt(start->members);
  forecast.waits_for_count = static_cast<int64_t>(forecast.waits_for.size());
  forecast.waits_for.resize(std::min(forecast.waits_for.size(), Forecast::kAwaitedMax));
  const Likely likely = run.LikelyStart(*start);
  forecast.likely_from = std::min(likely.from, likely.to);
  forecast.likely_to = std::max(likely.from, likely.to);
  return forecast;
}

}  // namespace berth
