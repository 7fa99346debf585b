#include "sim/faults/shim_process.h"

#include <algorithm>
#include <cstdio>
#include <utility>

#include "absl/strings/str_format.h"

#include "common/check.h"
#include "common/planted_bug.h"
#include "sim/faults/machine.h"

namespace berth::sim {
namespace {

constexpr int kNotExecutable = 126;
constexpr int kKilled = 9;
constexpr int kTerminated = 143;

}  // namespace

std::string TaskScript::Encode() const {
  return absl::StrFormat("%d %d %d %d %d", run_us, exit_code, stop_us, launch_us,
                         is_program ? 1 : 0);
}

TaskScript TaskScript::Decode(absl::string_view text) {
  TaskScript script;
  long long run_us = 0;
  long long stop_us = 0;
  long long launch_us = 0;
  int is_program = 0;
  const int found = std::sscanf(std::string(text).c_str(), "%lld %d %lld %lld %d", &run_us,
                                &script.exit_code, &stop_us, &launch_us, &is_program);
  BERTH_CHECK(found == 5);
  script.run_us = run_us;
  script.stop_us = stop_us;
  script.launch_us = launch_us;
  script.is_program = is_program != 0;
  return script;
}

ShimProcess::ShimProcess(Machine& machine, v1::Assignment assignment, absl::Duration lease_deadline)
    : machine_(machine),
      assignment_(std::move(assignment)),
      script_(TaskScript::Decode(assignment_.job_spec())),
      number_(machine.NextProcess()),
      lease_deadline_(lease_deadline) {}

template <typename Then>
void ShimProcess::After(int64_t delay_us, Then then) {
  machine_.After(delay_us,
                 [&machine = machine_, id = assignment_.allocation_id(), number = number_, then] {
                   ShimProcess* shim = machine.FindShim(id);
                   if (shim != nullptr && shim->number_ == number) {
                     then(*shim);
                   }
                 });
}

void ShimProcess::Begin() {
  After(machine_.timeline().Between(kMillisecond, 40 * kMillisecond),
        [](ShimProcess& shim) { shim.TakeLocks(); });
}

void ShimProcess::TakeLocks() {
  const uint64_t id = assignment_.allocation_id();
  if (machine_.IsLocked(assignment_)) {
    Tell(TaskRefused{id, v1::REFUSAL_LOCK_HELD, "held by another task"});
    machine_.ShimEnded(id);  // destroys this
    return;
  }
  state_ = State::kPrepared;
  machine_.observer().OnPrepared(id);
  Tell(TaskPrepared{id, machine_.name(), kRendezvousPort});
  Arm();
  std::vector<Command> commands = std::exchange(unread_, {});
  if (assignment_.start_at_once()) {
    commands.insert(commands.begin(), Command());
  }
  ReadCommands(std::move(commands));
}

// It may end with one of them.
void ShimProcess::ReadCommands(std::vector<Command> commands) {
  Machine& machine = machine_;
  const uint64_t id = assignment_.allocation_id();
  const uint64_t number = number_;
  for (const Command& command : commands) {
    ShimProcess* shim = machine.FindShim(id);
    if (shim == nullptr || shim->number_ != number) {
      return;
    }
    shim->Run(command);
  }
}

void ShimProcess::Tell(const TaskEvent& event) {
  AgentProcess* agent = machine_.agent();
  if (agent != nullptr && agent->life() == agent_life_) {
    agent->OnShim(event);
  }
}

void ShimProcess::Start() {
  Run({Command::Kind::kStart, {}, {}});
}
void ShimProcess::Stop(v1::StopReason reason, absl::Duration grace) {
  Run({Command::Kind::kStop, reason, grace});
}
void ShimProcess::SetLease(absl::Duration deadline) {
  Run({Command::Kind::kSetLease, {}, deadline});
}

void ShimProcess::Run(const Command& command) {
  if (state_ == State::kStarting || launches_) {
    unread_.push_back(command);
  } else {
    Do(command);
  }
}

void ShimProcess::Do(const Command& command) {
  switch (command.kind) {
    case Command::Kind::kStart:
      if (state_ == State::kPrepared && !has_init_) {
        StartInit();
      }
      return;
    case Command::Kind::kSetLease:
      lease_deadline_ = command.time;
      Arm();
      return;
    case Command::Kind::kStop:
      break;
  }
  const absl::Duration deadline = machine_.Clock() + command.time;
  if (state_ == State::kStopping) {
    kill_at_ = std::min(kill_at_, deadline);
    Arm();
    return;
  }
  state_ = State::kStopping;
  kill_at_ = deadline;
  record_.stop_reason = command.reason;
  if (!has_init_) {
    Finish();
    return;
  }
  if (command.time <= absl::ZeroDuration()) {
    KillTask();
    return;
  }
  if (script_.stop_us >= 0) {
    After(script_.stop_us, [](ShimProcess& shim) { shim.CommandEnds(kTerminated, 0); });
  }
  Arm();
}

void ShimProcess::StartInit() {
  launches_ = true;
  After(script_.launch_us, [](ShimProcess& shim) { shim.BeginTask(); });
}

void ShimProcess::BeginTask() {
  launches_ = false;
  if (machine_.Clock() >= lease_deadline_ && !Planted(PlantedBug::kLeaseNotEnforced)) {
    Do({Command::Kind::kStop, v1::STOP_REASON_LEASE, absl::ZeroDuration()});
    return;
  }
  if (assignment_.time_limit_ms() > 0) {
    limit_kill_ = machine_.Clock() + absl::Milliseconds(assignment_.time_limit_ms());
    limit_stop_ = limit_kill_ - absl::Milliseconds(assignment_.grace_ms());
  }
  if (!machine_.HasGroup(assignment_.allocation_id()) || !script_.is_program) {
    // Without a group somebody took it away: this task is not to run any more.
    record_.exec_failed = true;
    record_.exit_code = kNotExecutable;
    Finish();
    return;
  }
  has_init_ = true;
  state_ = State::kRunning;
  machine_.ProcessesBegin(assignment_);
  Tell(TaskStarted{assignment_.allocation_id()});
  After(script_.run_us,
        [exit_code = script_.exit_code](ShimProcess& shim) { shim.CommandEnds(exit_code, 0); });
  Arm();
  ReadCommands(std::exchange(unread_, {}));
}

void ShimProcess::CommandEnds(int exit_code, int signal) {
  if (killed_) {
    return;
  }
  killed_ = true;
  record_.exit_code = exit_code;
  record_.signal = signal;
  machine_.ProcessesEnd(assignment_.allocation_id());
}

void ShimProcess::InitKilled() {
  CommandEnds(0, kKilled);
}

void ShimProcess::KillTask() {
  if (!killed_) {
    killed_ = true;
    record_.signal = kKilled;
    machine_.KillProcesses(assignment_.allocation_id());
  }
}

void ShimProcess::ProcessesStay() {
  if (AgentProcess* agent = machine_.agent(); agent != nullptr && agent->life() == agent_life_) {
    agent->OnStuck(assignment_.allocation_id());
  }
}

void ShimProcess::ProcessesGone() {
  Finish();
}

absl::Duration ShimProcess::NextDeadline() const {
  if (killed_ || launches_) {
    return absl::InfiniteDuration();
  }
  const absl::Duration stop_side = state_ == State::kStopping ? kill_at_ : limit_stop_;
  const bool ignores_lease = state_ == State::kStopping && Planted(PlantedBug::kGraceOutlivesLease);
  return std::min(
      {stop_side, limit_kill_, ignores_lease ? absl::InfiniteDuration() : lease_deadline_});
}

// The timer that is set already looks again when the deadline has moved away from it.
void ShimProcess::Arm() {
  const absl::Duration next = NextDeadline();
  if (next == absl::InfiniteDuration()) {
    return;
  }
  const int64_t at_us = std::max(machine_.WhenItReads(next), machine_.timeline().now_us());
  if (at_us >= armed_us_) {
    return;
  }
  armed_us_ = at_us;
  After(at_us - machine_.timeline().now_us(), [at_us](ShimProcess& shim) {
    if (shim.armed_us_ == at_us) {
      shim.armed_us_ = INT64_MAX;
      shim.OnTimer();
    }
  });
}

void ShimProcess::OnTimer() {
  const absl::Duration now = machine_.Clock();
  const bool enforces_lease = !Planted(PlantedBug::kLeaseNotEnforced) &&
                              (!Planted(PlantedBug::kLeaseHeldByAgent) ||
                               (machine_.agent() != nullptr && !machine_.agent()->IsPaused()));
  const bool over_lease = now >= lease_deadline_ && enforces_lease;
  if (state_ != State::kStopping && over_lease) {
    machine_.timeline().Note("the lease of allocation %d has run out", assignment_.allocation_id());
    Do({Command::Kind::kStop, v1::STOP_REASON_LEASE, absl::ZeroDuration()});
    return;
  }
  if (state_ != State::kStopping && now >= limit_stop_) {
    Do({Command::Kind::kStop, v1::STOP_REASON_TIME_LIMIT,
        absl::Milliseconds(assignment_.grace_ms())});
    return;
  }
  const bool over_grace = now >= kill_at_ || now >= limit_kill_ ||
                          (over_lease && !Planted(PlantedBug::kGraceOutlivesLease));
  if (state_ == State::kStopping && over_grace) {
    KillTask();
    return;
  }
  if (enforces_lease) {
    Arm();
  }
}

// Destroys this.
void ShimProcess::Finish() {
  machine_.WriteExit(assignment_, record_);
  const v1::Assignment assignment = assignment_;
  Machine& machine = machine_;
  machine.ShimEnded(assignment.allocation_id());
  if (AgentProcess* agent = machine.agent(); agent != nullptr) {
    agent->OnShimEnded(assignment);
  }
}

}  // namespace berth::sim
