#include "sim/faults/agent_process.h"

#include <algorithm>
#include <utility>

#include "common/planted_bug.h"
#include "sim/faults/machine.h"

namespace berth::sim {
namespace {

constexpr int64_t kReconnectFirst = 100 * kMillisecond;
constexpr int64_t kReconnectMost = 10 * kSecond;
constexpr int64_t kRestartsMost = 5 * kSecond;
constexpr int64_t kSyncsSoon = 20 * kMillisecond;  // mostly, at the latest
constexpr int64_t kSyncsLate = 4 * kSecond;        // a disk that is slow now and then

// As Agent::BeginJournal.
AgentState NextLife(Machine& machine) {
  AgentState state = machine.journal().Read();
  const auto new_incarnation =
      static_cast<uint64_t>(machine.timeline().now_us() / kMillisecond + 1);
  BeginLife(new_incarnation, machine.journal().records_lost(), machine.FindTasks(), state);
  return state;
}

}  // namespace

AgentProcess::AgentProcess(Machine& machine, uint64_t life)
    : machine_(machine),
      life_(life),
      core_(NextLife(machine), machine.name(), machine.BootId()),
      backoff_us_(kReconnectFirst) {}

void AgentProcess::After(int64_t delay_us, std::function<void()> event) {
  machine_.After(delay_us, [&machine = machine_, life = life_, event = std::move(event)] {
    AgentProcess* agent = machine.agent();
    if (agent == nullptr || agent->life_ != life) {
      return;
    }
    const int64_t now_us = machine.timeline().now_us();
    if (agent->paused_until_us_ > now_us) {
      agent->After(agent->paused_until_us_ - now_us, event);
      return;
    }
    event();
  });
}

bool AgentProcess::IsPaused() const {
  return paused_until_us_ > machine_.timeline().now_us();
}

void AgentProcess::Begin() {
  machine_.journal().Compact(core_.state());
  if (Adopt()) {
    has_writer_ = true;
    Connect();
  }
}

bool AgentProcess::Adopt() {
  std::set<uint64_t> known;
  for (const JournaledTask& task : core_.TasksToAdopt()) {
    known.insert(task.assignment.allocation_id());
    AdoptOne(task);
  }
  const std::set<uint64_t> groups = machine_.groups();
  for (const uint64_t stray : groups) {
    if (known.contains(stray)) {
      continue;
    }
    if (!Carry(core_.AdoptStray(stray))) {
      return false;
    }
    OnStuck(0);
    ReportWhenGone(stray, TaskLost{stray}, kStuckAfter);
  }
  return true;
}

void AgentProcess::AdoptOne(const JournaledTask& task) {
  const uint64_t id = task.assignment.allocation_id();
  ShimProcess* shim = machine_.FindShim(id);
  if (shim == nullptr || shim->state() == ShimProcess::State::kStarting) {
    machine_.ReleaseGroup(id);
    ReportWhenGone(id, EndOf(task.assignment), kStuckAfter);
    return;
  }
  tasks_.insert(id);
  shim->TalkTo(life_);
  switch (shim->state()) {
    case ShimProcess::State::kStarting:
      return;
    case ShimProcess::State::kPrepared:
      Carry(core_.Adopt(id, v1::TASK_STATE_PREPARED, machine_.name()));
      return;
    case ShimProcess::State::kRunning:
      Carry(core_.Adopt(id, v1::TASK_STATE_RUNNING, machine_.name()));
      return;
    case ShimProcess::State::kStopping:
      Carry(core_.Adopt(id, v1::TASK_STATE_STOPPING, machine_.name()));
      return;
  }
}

// ---- The stream ----

void AgentProcess::Connect() {
  stream_ = machine_.network().Open(machine_.number());
  Say(core_.MakeHello(machine_.facts(), machine_.Clock()));
}

void AgentProcess::OnMessage(StreamId stream, const v1::SchedulerMessage& message) {
  After(0, [this, stream, message] {
    if (stream != stream_) {
      return;
    }
    if (message.has_hello_refused()) {
      machine_.network().CloseFromAgent(stream);
      return;
    }
    if (!Carry(core_.OnMessage(message, machine_.Clock())) || !message.has_hello_ack()) {
      return;
    }
    if (!core_.connected()) {
      machine_.network().CloseFromAgent(stream);
      return;
    }
    machine_.observer().OnObeyed(machine_.number(), core_.session().sched_epoch());
    backoff_us_ = kReconnectFirst;
    Beat(stream);
  });
}

void AgentProcess::Beat(StreamId stream) {
  if (stream != stream_ || !core_.connected()) {
    return;
  }
  CatchUp();
  // As Agent::Beat; no disk is slow for as long as its patience lasts.
  if (outputs_.busy() && outputs_.told().has_value()) {
    v1::Heartbeat state =
        Planted(PlantedBug::kUnwrittenTold) ? core_.MakeState() : *outputs_.told();
    machine_.network().SendUp(stream_, core_.MakeHeartbeat(std::move(state), machine_.Clock()));
  } else {
    Say(core_.MakeHeartbeat(core_.MakeState(), machine_.Clock()));
  }
  const int64_t interval_us = core_.session().heartbeat_interval_ms() * kMillisecond;
  After(interval_us, [this, stream] { Beat(stream); });
}

void AgentProcess::OnStreamEnded(StreamId stream) {
  After(0, [this, stream] {
    if (stream != stream_) {
      return;
    }
    core_.OnDisconnected();
    outputs_.DropMessages();
    stream_ = 0;
    const int64_t wait_us = machine_.timeline().Between(backoff_us_ / 2, backoff_us_);
    backoff_us_ = std::min(backoff_us_ * 2, kReconnectMost);
    After(wait_us, [this] { Connect(); });
  });
}

// ---- What core decides ----

void AgentProcess::OnTask(const TaskEvent& event) {
  Carry(core_.OnTask(event, machine_.timeline().now_us()));
}

bool AgentProcess::Dies(AgentCrash at, AgentCrash point) {
  if (at != point) {
    return false;
  }
  machine_.AgentDied(machine_.timeline().Between(0, kRestartsMost));
  return true;
}

bool AgentProcess::Carry(AgentOutput output) {
  if (Planted(PlantedBug::kStopOvertakes) && outputs_.busy()) {
    std::erase_if(output.actions, [this](const TaskAction& action) {
      const auto* stop = std::get_if<StopTask>(&action);
      return stop != nullptr && (Act(*stop), true);
    });
  }
  outputs_.Add(std::move(output));
  return CarryWaiting();
}

void AgentProcess::Say(v1::AgentMessage message) {
  outputs_.Add(std::move(message));
  CarryWaiting();
}

bool AgentProcess::CarryWaiting() {
  while (const AgentOutput* output = outputs_.Begin(core_)) {
    const bool catches_up = output->must_sync && has_writer_ && journal_is_behind_ &&
                            !Planted(PlantedBug::kUnwrittenForgotten);
    const bool has_records = catches_up || !output->journal.empty();
    const AgentCrash crash = has_records ? machine_.TakeAgentCrash() : AgentCrash::kNone;
    if (Dies(crash, AgentCrash::kBeforeJournal)) {
      return false;
    }
    const bool is_written = !has_records || !machine_.disk_full();
    if (has_records && is_written) {
      machine_.journal().Append(output->journal, output->must_sync && !has_writer_);
    }
    if (output->must_sync && has_writer_ && !Planted(PlantedBug::kTaskBeforeDurable)) {
      CarryOutOnceSynced(is_written, catches_up ? std::optional(core_.state()) : std::nullopt,
                         crash);
      return true;
    }
    if (!CarryOut(is_written, crash)) {
      return false;
    }
  }
  return true;
}

void AgentProcess::CarryOutOnceSynced(bool is_written, std::optional<AgentState> whole,
                                      AgentCrash crash) {
  const int64_t most_us = machine_.timeline().Once(50) ? kSyncsLate : kSyncsSoon;
  After(machine_.timeline().Between(100, most_us), [this, is_written, whole, crash] {
    if (is_written) {
      machine_.journal().Sync();
    }
    if (is_written && whole.has_value()) {
      machine_.journal().Compact(*whole);
    }
    if (!CarryOut(is_written, crash)) {
      return;
    }
    if (is_written && whole.has_value()) {
      CaughtUp();
    }
    CarryWaiting();
  });
}

bool AgentProcess::CarryOut(bool is_written, AgentCrash crash) {
  AgentOutput& output = outputs_.under_way();
  journal_is_behind_ = journal_is_behind_ || !is_written;
  if (Dies(crash, AgentCrash::kAfterJournal)) {
    return false;
  }
  if (!is_written && output.must_sync) {
    RefuseUnwritten(output);
    std::erase_if(output.messages, [](const auto& message) { return message.has_report(); });
  } else {
    for (const TaskAction& action : output.actions) {
      Run(action);
    }
  }
  if (Dies(crash, AgentCrash::kAfterActions)) {
    return false;
  }
  for (v1::AgentMessage& message : output.messages) {
    machine_.network().SendUp(stream_, std::move(message));
  }
  outputs_.Finish(is_written);
  return true;
}

void AgentProcess::RefuseUnwritten(const AgentOutput& output) {
  for (const TaskAction& action : output.actions) {
    if (const auto* prepare = std::get_if<PrepareTask>(&action)) {
      OnTask(TaskRefused{prepare->assignment.allocation_id(), v1::REFUSAL_DISK, "disk full"});
    } else {
      Run(action);
    }
  }
}

void AgentProcess::CatchUp() {
  if (journal_is_behind_ && !outputs_.busy()) {
    AgentOutput nothing_new;
    nothing_new.must_sync = true;
    Carry(std::move(nothing_new));
  }
}

void AgentProcess::CaughtUp() {
  journal_is_behind_ = false;
  for (v1::AgentMessage& message : core_.TellAgain()) {
    Say(std::move(message));
  }
}

}  // namespace berth::sim
