#include "sim/simulator.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <variant>

#include "common/check.h"

namespace berth::sim {
namespace {

// When nothing was decided for so long and nothing is about to happen, nothing ever will be: longer
// than any time-out of the core.
constexpr int64_t kQuietMax = int64_t{3} * 24 * 3600 * 1000000;

}  // namespace

Simulator::Simulator(const SimCenter& center, const std::vector<SimJob>& jobs,
                     const SimulatorOptions& options)
    : jobs_(jobs),
      options_(options),
      now_us_(jobs.empty() ? 0 : jobs.front().submit_us),
      center_(center, static_cast<int64_t>(jobs.size()) + 1, Now()),
      outcomes_(jobs.size()),
      last_tick_us_(now_us_),
      next_round_us_(now_us_) {
  for (const SimNode& node : center.nodes) {
    node_sizes_.push_back(node.devices);
  }
  node_busy_.resize(node_sizes_.size());
  NoteChanges();
}

void Simulator::Run() {
  while (AdvanceClock()) {
    while (next_submission_ < jobs_.size() && jobs_[next_submission_].submit_us == now_us_) {
      Submit(next_submission_++);
    }
    while (!events_.empty() && events_.next_us() == now_us_) {
      Handle(events_.Take());
    }
    Settle();
  }
}

bool Simulator::AdvanceClock() {
  int64_t next = INT64_MAX;
  if (next_submission_ < jobs_.size()) {
    next = jobs_[next_submission_].submit_us;
  }
  if (!events_.empty()) {
    next = std::min(next, events_.next_us());
  }
  const bool nothing_ahead = next == INT64_MAX;
  if (nothing_ahead && (core().cluster().jobs().empty() || now_us_ > last_change_us_ + kQuietMax)) {
    return false;
  }
  if (core().PlanDue()) {
    next = std::min(next, std::max(next_round_us_, now_us_));
  }
  const int64_t wake =
      absl::ToUnixMicros(core().cluster().NextWake().value_or(absl::InfiniteFuture()));
  const int64_t tick = std::min(last_tick_us_ + options_.tick_interval_us, std::max(wake, now_us_));
  MoveClock(std::min(next, std::max(tick, now_us_)));
  if (tick <= now_us_) {
    last_tick_us_ = now_us_;
    core().Apply(AgentEvent(Tick{}), Now());
  }
  return true;
}

void Simulator::MoveClock(int64_t to_us) {
  if (next_submission_ < jobs_.size()) {
    // Whole milliseconds of the virtual clock, so that nothing gets lost between events.
    const int64_t passed_ms = to_us / 1000 - now_us_ / 1000;
    totals_.span_ms += passed_ms;
    totals_.busy_device_ms += busy_ * passed_ms;
    totals_.fragmented_device_ms += fragmented_ * passed_ms;
  }
  now_us_ = to_us;
}

int Simulator::FragmentedOn(NodeId node) const {
  const int busy = node_busy_[node.value()];
  return busy > 0 ? node_sizes_[node.value()] - busy : 0;
}

void Simulator::AddBusy(NodeId node, int devices) {
  fragmented_ -= FragmentedOn(node);
  node_busy_[node.value()] += devices;
  busy_ += devices;
  fragmented_ += FragmentedOn(node);
}

void Simulator::Submit(size_t number) {
  const absl::StatusOr<JobId> job = center_.Submit(jobs_[number], Now());
  if (!job.ok()) {
    first_refusal_.Update(job.status());
    return;
  }
  BERTH_CHECK(job->value() == numbers_.size());
  numbers_.push_back(number);
}

void Simulator::Settle() {
  ObeyAll();
  if (core().PlanDue() && now_us_ >= next_round_us_) {
    next_round_us_ = now_us_ + options_.round_interval_us;
    do {
      core().RunRound(Now());
      ++rounds_;
      ObeyAll();
    } while (core().PlanDue());
  }
  NoteChanges();
  if (options_.keep_usage) {
    int64_t waiting = 0;
    for (const auto& [tenant, number] : center_.tenant_numbers()) {
      waiting += core().cluster().PendingCount(tenant);
    }
    if (usage_.empty() || usage_.back().at_us != now_us_) {
      usage_.emplace_back();
    }
    usage_.back() = {now_us_, busy_, waiting};
  }
}

void Simulator::NoteChanges() {
  const Changes changes = core().TakeChanges();
  for (const Job& job : changes.jobs) {
    last_change_us_ = now_us_;
    SimOutcome& outcome = outcomes_[NumberOf(job.id)];
    outcome.state = job.state;
    outcome.attempts = job.attempt.state == AttemptState::kNone ? 0 : job.attempt.number + 1;
    if (IsTerminal(job.state)) {
      outcome.times.end_us = now_us_;
      running_.erase(job.id);
    }
  }
  for (const Reclaim& reclaim : changes.reclaims) {
    const bool settled =
        reclaim.settled_at != absl::InfinitePast() && reclaim.settled_at != absl::InfiniteFuture();
    if (settled && !reclaim.within_tenant) {
      recalls_.push_back({center_.NumberOf(reclaim.tenant), absl::ToUnixMicros(reclaim.at),
                          absl::ToInt64Microseconds(reclaim.settled_at - reclaim.at)});
    }
  }
}

void Simulator::ObeyAll() {
  for (std::vector<NodeCommand> commands = core().TakeCommands(); !commands.empty();
       commands = core().TakeCommands()) {
    for (const NodeCommand& command : commands) {
      std::visit([&](const auto& kind) { Obey(command, kind); }, command.kind);
    }
  }
}

void Simulator::Obey(const NodeCommand& command, const AssignTask& assign) {
  const Allocation& allocation = assign.allocation;
  const auto [entry, added] = running_.try_emplace(allocation.job);
  Running& running = entry->second;
  if (added) {
    const SimJob& job = jobs_[NumberOf(allocation.job)];
    running.left_node_us = job.run_us * job.gang.nodes;
  }
  Task& task = running.tasks[allocation.id];
  task = {command.node, allocation.attempt, static_cast<int>(allocation.devices.size())};
  AddBusy(command.node, task.devices);
  hash_.Add({static_cast<uint64_t>(now_us_), allocation.job.value(),
             static_cast<uint64_t>(allocation.attempt), command.node.value()});
  for (const DeviceShare& device : allocation.devices) {
    hash_.Add({static_cast<uint64_t>(device.index), static_cast<uint64_t>(device.milli)});
  }
  if (assign.start_at_once) {
    MemberStarted(allocation.job, allocation.id);
  } else {
    Report(allocation.id, task, allocation.job, ReportKind::kPrepared);
  }
}

void Simulator::Obey(const NodeCommand& /*command*/, const StartTask& start) {
  MemberStarted(core().cluster().GetAllocation(start.allocation).job, start.allocation);
}

void Simulator::Obey(const NodeCommand& /*command*/, const KillTask& kill) {
  const auto running = running_.find(kill.job);
  if (running == running_.end() || running->second.tasks.count(kill.allocation) == 0) {
    return;
  }
  Task& task = running->second.tasks.at(kill.allocation);
  if (task.stopping) {
    return;
  }
  task.stopping = true;
  task.reason = kill.reason;
  if (task.working) {
    BookWork(running->second);
    --running->second.members;
    ForecastEnd(kill.job, running->second);
  }
  const int64_t stop_us =
      std::min(jobs_[NumberOf(kill.job)].stop_us, absl::ToInt64Microseconds(kill.grace));
  events_.Put(now_us_ + stop_us,
              {.kind = EventKind::kStopOver, .job = kill.job, .allocation = kill.allocation});
}

void Simulator::Report(AllocationId allocation, const Task& task, JobId job, ReportKind kind) {
  TaskReport report;
  report.kind = kind;
  report.allocation = allocation;
  report.job = job;
  report.attempt = task.attempt;
  report.stop_reason = task.reason;
  center_.Report(task.node, report, Now());
}

void Simulator::MemberStarted(JobId job, AllocationId allocation) {
  Running& running = running_.at(job);
  BookWork(running);
  running.tasks.at(allocation).working = true;
  running.started_us = now_us_;
  ++running.members;
  JobTimes& times = outcomes_[NumberOf(job)].times;
  if (times.start_us == kNever) {
    times.start_us = now_us_;
  }
  if (running.members == static_cast<int>(running.tasks.size())) {
    ForecastEnd(job, running);
  }
  Report(allocation, running.tasks.at(allocation), job, ReportKind::kStarted);
}

void Simulator::BookWork(Running& running) const {
  running.left_node_us -= (now_us_ - running.since_us) * running.members;
  running.since_us = now_us_;
}

void Simulator::ForecastEnd(JobId job, Running& running) {
  ++running.forecasts;
  if (running.members == 0) {
    return;
  }
  const int64_t left_us = (running.left_node_us + running.members - 1) / running.members;
  const int64_t limit_us =
      running.started_us + absl::ToInt64Microseconds(jobs_[NumberOf(job)].time_limit);
  events_.Put(std::max(now_us_, std::min(now_us_ + left_us, limit_us)),
              {.kind = EventKind::kRunOver, .job = job, .forecast = running.forecasts});
}

void Simulator::Handle(const Event& event) {
  const auto entry = running_.find(event.job);
  if (entry == running_.end()) {
    return;
  }
  Running& running = entry->second;
  if (event.kind == EventKind::kStopOver) {
    EndTask(event.job, event.allocation, ReportKind::kKilled);
    return;
  }
  if (event.forecast != running.forecasts) {
    return;
  }
  BookWork(running);
  const bool done = running.left_node_us <= 0;
  std::vector<AllocationId> working;
  for (auto& [id, task] : running.tasks) {
    if (task.working && !task.stopping) {
      working.push_back(id);
      task.reason = done ? StopReason::kNone : StopReason::kTimeLimit;
    }
  }
  running.members = 0;
  for (const AllocationId id : working) {
    EndTask(event.job, id, done ? ReportKind::kExited : ReportKind::kKilled);
  }
}

void Simulator::EndTask(JobId job, AllocationId allocation, ReportKind kind) {
  const auto entry = running_.find(job);
  if (entry == running_.end() || entry->second.tasks.count(allocation) == 0) {
    return;
  }
  const auto ended = entry->second.tasks.extract(allocation);
  const Task& task = ended.mapped();
  AddBusy(task.node, -task.devices);
  hash_.Add({static_cast<uint64_t>(now_us_), job.value(), static_cast<uint64_t>(task.attempt),
             task.node.value(), static_cast<uint64_t>(kind)});
  Report(allocation, task, job, kind);
}

}  // namespace berth::sim
