#include "sim/simulator.h"

#include <algorithm>
#include <climits>
#include <optional>
#include <string>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"

#include "common/check.h"

namespace berth::sim {
namespace {

// When nothing was decided for so long and nothing is about to happen, nothing ever will be: longer
// than any time-out of the core.
constexpr int64_t kQuietMax = int64_t{3} * 24 * 3600 * 1000000;
constexpr absl::Duration kYears = absl::Hours(24 * 366 * 300);

Policy VirtualPolicy() {
  Policy policy;
  // Virtual agents are never silent, so they need not be heard.
  policy.suspect_after = absl::InfiniteDuration();
  policy.lost_after = absl::InfiniteDuration();
  policy.time_limit_max = kYears;
  policy.token_lifetime_max = kYears;
  policy.nodes_per_job_max = 1'000'000;
  policy.devices_per_node_max = 100'000'000;
  return policy;
}

const std::string& FakeHash() {
  static const auto* const kHash = new std::string(32, 'h');
  return *kHash;
}

}  // namespace

Simulator::Simulator(const SimCenter& center, const std::vector<SimJob>& jobs,
                     const SimulatorOptions& options)
    : jobs_(jobs), options_(options), engine_(VirtualPolicy(), 1), outcomes_(jobs.size()) {
  now_us_ = jobs.empty() ? 0 : jobs.front().submit_us;
  last_tick_us_ = now_us_;
  next_round_us_ = now_us_;
  operator_.role = Role::kOperator;
  Must(BootstrapOperator{"root", "t0", FakeHash()});
  operator_.user = engine_.cluster().FindUserByName(TenantId(), "root")->id;
  operator_.user_name = "root";
  AddNodes(center);
  AddTenants(center);
  NoteChanges();
}

Outcome Simulator::Must(const UserEvent& event) {
  absl::StatusOr<Outcome> outcome = engine_.Apply(operator_, event, Now());
  BERTH_CHECK(outcome.ok());
  return *std::move(outcome);
}

void Simulator::AddNodes(const SimCenter& center) {
  sessions_.emplace_back();  // no node has the id 0
  for (const SimNode& node : center.nodes) {
    AddToken token;
    token.id = absl::StrCat("node-", node.name);
    token.secret_hash = FakeHash();
    token.node = node.name;
    const NodeId id = Must(token).node;
    BERTH_CHECK(id.value() == sessions_.size());
    sessions_.emplace_back(id.value());
    AgentHello hello;
    hello.node = id;
    hello.session = sessions_.back();
    hello.boot_id = "b";
    hello.facts.facts.capacity = node.capacity;
    hello.facts.facts.topology = node.topology;
    for (int index = 0; index < node.devices; ++index) {
      Device device;
      device.index = index;
      hello.facts.devices.push_back({device, node.device_class});
    }
    engine_.Apply(AgentEvent(std::move(hello)), Now());
    capacity_ += node.devices;
  }
  engine_.TakeCommands();
}

void Simulator::AddTenants(const SimCenter& center) {
  for (const SimTenant& tenant : center.tenants) {
    AddTenant add;
    add.name = tenant.name;
    add.queue_max = static_cast<int64_t>(jobs_.size()) + 1;
    const TenantId id = Must(add).tenant;
    tenant_numbers_[id] = static_cast<int>(users_.size());
    Must(AddUser{.name = "user", .tenant = tenant.name, .role = Role::kMember});
    const User* user = engine_.cluster().FindUserByName(id, "user");
    users_.push_back({.user = user->id,
                      .node = {},
                      .tenant = id,
                      .role = Role::kMember,
                      .token_id = "",
                      .user_name = user->name});
    for (const auto& [device_class, limits] : tenant.quotas) {
      SetQuota quota;
      quota.tenant = tenant.name;
      quota.device_class = device_class;
      quota.limits = limits;
      Must(quota);
    }
  }
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
  if (nothing_ahead &&
      (engine_.cluster().jobs().empty() || now_us_ > last_change_us_ + kQuietMax)) {
    return false;
  }
  if (engine_.PlanDue()) {
    next = std::min(next, std::max(next_round_us_, now_us_));
  }
  const int64_t wake =
      absl::ToUnixMicros(engine_.cluster().NextWake().value_or(absl::InfiniteFuture()));
  const int64_t tick = std::min(last_tick_us_ + options_.tick_interval_us, std::max(wake, now_us_));
  now_us_ = std::min(next, std::max(tick, now_us_));
  if (tick <= now_us_) {
    last_tick_us_ = now_us_;
    engine_.Apply(AgentEvent(Tick{}), Now());
  }
  return true;
}

void Simulator::Submit(size_t number) {
  const SimJob& job = jobs_[number];
  SubmitJob submit;
  submit.spec.gang = job.gang;
  submit.spec.time_limit = job.time_limit;
  submit.spec.grace = job.grace;
  submit.spec.priority = job.priority;
  submit.spec.preemptible = job.preemptible;
  submit.spec.may_borrow = job.may_borrow;
  submit.spec.requeue.max_requeues = INT_MAX;
  submit.device_classes = job.device_classes;
  const auto outcome =
      engine_.Apply(users_[static_cast<size_t>(job.tenant)], UserEvent(std::move(submit)), Now());
  if (!outcome.ok()) {
    first_refusal_.Update(outcome.status());
    return;
  }
  BERTH_CHECK(outcome->job.value() == numbers_.size());
  numbers_.push_back(number);
}

void Simulator::Settle() {
  ObeyAll();
  if (engine_.PlanDue() && now_us_ >= next_round_us_) {
    next_round_us_ = now_us_ + options_.round_interval_us;
    do {
      engine_.RunRound(Now());
      ++rounds_;
      ObeyAll();
    } while (engine_.PlanDue());
  }
  NoteChanges();
  if (options_.keep_usage) {
    int64_t waiting = 0;
    for (const auto& [tenant, number] : tenant_numbers_) {
      waiting += engine_.cluster().PendingCount(tenant);
    }
    if (usage_.empty() || usage_.back().at_us != now_us_) {
      usage_.emplace_back();
    }
    usage_.back() = {now_us_, busy_, waiting};
  }
}

void Simulator::NoteChanges() {
  const Changes changes = engine_.TakeChanges();
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
      recalls_.push_back({tenant_numbers_.at(reclaim.tenant), absl::ToUnixMicros(reclaim.at),
                          absl::ToInt64Microseconds(reclaim.settled_at - reclaim.at)});
    }
  }
}

void Simulator::ObeyAll() {
  for (std::vector<NodeCommand> commands = engine_.TakeCommands(); !commands.empty();
       commands = engine_.TakeCommands()) {
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
  busy_ += task.devices;
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
  MemberStarted(engine_.cluster().GetAllocation(start.allocation).job, start.allocation);
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
  AgentReport report;
  report.node = task.node;
  report.session = sessions_[task.node.value()];
  report.report.kind = kind;
  report.report.allocation = allocation;
  report.report.job = job;
  report.report.attempt = task.attempt;
  report.report.stop_reason = task.reason;
  engine_.Apply(AgentEvent(std::move(report)), Now());
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
  busy_ -= task.devices;
  hash_.Add({static_cast<uint64_t>(now_us_), job.value(), static_cast<uint64_t>(task.attempt),
             task.node.value(), static_cast<uint64_t>(kind)});
  Report(allocation, task, job, kind);
}

}  // namespace berth::sim
