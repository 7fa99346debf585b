#include "agent/agent.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

#include "agent/shim/shim_protocol.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/status_macros.h"
#include <unistd.h>

namespace berth {
namespace {

constexpr absl::Duration kReconnectFirst = absl::Milliseconds(100);
constexpr absl::Duration kReconnectMost = absl::Seconds(10);
constexpr absl::Duration kDeviceLook = absl::Seconds(1);
constexpr absl::Duration kDeviceSamplePause = absl::Seconds(5);
// Between two messages with what tasks tell of themselves: however much it is, the scheduler writes
// each task's down once in this time.
constexpr absl::Duration kNoticePause = absl::Seconds(2);
// While the disk takes records for less than this, heartbeats come in time: logs that are being
// written delay it. For longer, the node could take no task, and its silence is to say so.
constexpr absl::Duration kDiskPatience = absl::Seconds(10);

}  // namespace

Agent::Agent(AgentOptions options)
    : options_(std::move(options)),
      backoff_(kReconnectFirst, kReconnectMost,
               static_cast<uint64_t>(BootTimeNs()) ^ static_cast<uint64_t>(getpid())) {}

absl::StatusOr<std::unique_ptr<Agent>> Agent::Start(const AgentOptions& options) {
  std::unique_ptr<Agent> agent(new Agent(options));
  RETURN_IF_ERROR(agent->Prepare());
  return agent;
}

void Agent::WatchDevices() {
  OnDevices(devices_->Look());
  if (auto found = sampler_.has_value() ? sampler_->TakeFound() : std::nullopt) {
    devices_->Put(*std::move(found));
  }
  OnDevices(devices_->Step(core_->FindDevicesInUse()));
  loop_.RunAfter(kDeviceLook, [this] { WatchDevices(); });
}

void Agent::OnDevices(const DeviceHealth::Outcome& outcome) {
  for (const auto& [index, why] : outcome.failed) {
    runner_->FailDevice(index, why);
  }
  if (!outcome.changed) {
    return;
  }
  facts_.mutable_devices()->Assign(devices_->devices().begin(), devices_->devices().end());
  runner_->SetDevices(devices_->DevicesAtHand());
  TellFacts();
}

void Agent::OnArchive(bool works) {
  auto& facilities = *facts_.mutable_facilities();
  if (works) {
    facts_.add_facilities(kFacilityLogArchive);
  } else {
    facilities.erase(std::remove(facilities.begin(), facilities.end(), kFacilityLogArchive),
                     facilities.end());
  }
  TellFacts();
}

void Agent::TellFacts() {
  facts_changed_ = session_ == nullptr || !core_->connected();
  if (!facts_changed_) {
    v1::AgentMessage message;
    *message.mutable_facts() = facts_;
    // Behind the ends of tasks that had what is not there any more.
    Say(std::move(message));
  }
}

void Agent::Run() {
  writer_.emplace(*journal_, loop_);
  DeviceLooks looks{.meter = MakeDeviceMeter(options_.devices),
                    .pause = kDeviceSamplePause,
                    .finder = devices_->TakeFinder(),
                    .search_pause = options_.devices.search_pause};
  if (looks.meter != nullptr || looks.finder != nullptr) {
    sampler_.emplace(std::move(looks));
  }
  Connect();
  WatchDevices();
  loop_.Run();
  writer_.reset();
  sampler_.reset();
  if (core_->HasTasks()) {
    LogInfo("agent stops; its tasks go on", {
                                                {"node", options_.node}
    });
  }
  runner_->Close();
  channel_->CloseChannels();
  if (session_ != nullptr) {
    session_->Close();
  }
}

void Agent::Stop() {
  loop_.Stop();
}

void Agent::Connect() {
  const uint64_t number = ++session_number_;
  session_ =
      channel_->OpenSession({.on_message =
                                 [this, number](v1::SchedulerMessage message) {
                                   loop_.Post([this, number, message = std::move(message)] {
                                     OnMessage(number, message);
                                   });
                                 },
                             .on_closed =
                                 [this, number](const absl::Status& status) {
                                   loop_.Post([this, number, status] { OnClosed(number, status); });
                                 }});
  facts_changed_ = false;
  Say(core_->MakeHello(facts_, SystemClock().SinceBoot()));
}

void Agent::OnMessage(uint64_t session, const v1::SchedulerMessage& message) {
  if (session != session_number_) {
    return;
  }
  if (message.has_open_log()) {
    archiver_->OpenLog(message.open_log(),
                       [this, request = message.open_log()](absl::StatusOr<LogReader> reader) {
                         channel_->UploadLog(request, std::move(reader));
                       });
    return;
  }
  if (message.has_open_channel()) {
    const v1::OpenChannel& open = message.open_channel();
    channel_->EnterTask(open, runner_->FindEntry(open.allocation_id(), open.request()));
    return;
  }
  if (message.has_hello_refused()) {
    LogError("the scheduler refuses this agent",
             {
                 {"why",     v1::HelloRefused::Why_Name(message.hello_refused().why())},
                 {"message", message.hello_refused().message()                        }
    });
    session_->Close();
    return;
  }
  Carry(core_->OnMessage(message, SystemClock().SinceBoot()));
  if (!message.has_hello_ack()) {
    return;
  }
  if (!core_->connected()) {
    LogError("this scheduler is older than one obeyed before; it is ignored",
             {
                 {"sched_epoch", message.hello_ack().sched_epoch()}
    });
    session_->Close();
    return;
  }
  backoff_.Reset();
  LogInfo("connected",
          {
              {"server",  options_.server              },
              {"session", message.hello_ack().session()}
  });
  if (facts_changed_) {
    TellFacts();
  }
  notices_.BeginSession();
  TellNotices();
  Beat(session);
}

void Agent::Beat(uint64_t session) {
  if (session != session_number_ || !core_->connected()) {
    return;
  }
  CatchUp();
  const absl::Duration now = SystemClock().SinceBoot();
  const bool overtakes =
      outputs_.busy() && outputs_.told().has_value() && now - writing_since_ < kDiskPatience;
  v1::AgentMessage beat =
      core_->MakeHeartbeat(overtakes ? *outputs_.told() : core_->MakeState(), now);
  if (auto reading = sampler_.has_value() ? sampler_->TakeNew() : std::nullopt) {
    devices_->Renumber(reading->samples);
    beat.mutable_heartbeat()->mutable_samples()->Assign(reading->samples.begin(),
                                                        reading->samples.end());
    beat.mutable_heartbeat()->set_samples_age_ms(absl::ToInt64Milliseconds(now - reading->at));
  }
  if (overtakes) {
    session_->Send(std::move(beat));
  } else {
    Say(std::move(beat));
  }
  loop_.RunAfter(absl::Milliseconds(std::max(core_->session().heartbeat_interval_ms(), 10)),
                 [this, session] { Beat(session); });
}

void Agent::OnClosed(uint64_t session, const absl::Status& status) {
  if (session != session_number_) {
    return;
  }
  LogWarning("not connected to the scheduler",
             {
                 {"server", options_.server              },
                 {"status", std::string(status.message())}
  });
  core_->OnDisconnected();
  outputs_.DropMessages();
  ++session_number_;
  ConnectLater();
}

void Agent::ConnectLater() {
  loop_.RunAfter(backoff_.Next(), [this] { Connect(); });
}

void Agent::OnTask(const TaskEvent& event) {
  if (const auto* ended = std::get_if<TaskEnded>(&event)) {
    notices_.Forget(ended->allocation_id);  // it is in the report
  } else if (const auto* lost = std::get_if<TaskLost>(&event)) {
    TellNotices();
    notices_.Forget(lost->allocation_id);
  }
  Carry(core_->OnTask(event, WallTimeUs()));
}

void Agent::OnNotice(v1::TaskNotice notice) {
  const absl::Duration now = SystemClock().SinceBoot();
  notices_.Put(std::move(notice), now);
  if (notices_due_ || !notices_.HasNews()) {
    return;
  }
  if (!notices_told_.has_value() || now - *notices_told_ >= kNoticePause) {
    TellNotices();
    return;
  }
  notices_due_ = true;
  loop_.RunAfter(*notices_told_ + kNoticePause - now, [this] {
    notices_due_ = false;
    TellNotices();
  });
}

void Agent::TellNotices() {
  if (session_ == nullptr || !core_->connected() || !notices_.HasNews()) {
    return;  // the next session hears all of it
  }
  notices_told_ = SystemClock().SinceBoot();
  for (v1::AgentMessage& message : notices_.TakeNews(*notices_told_)) {
    session_->Send(std::move(message));
  }
}

void Agent::Carry(AgentOutput output) {
  outputs_.Add(std::move(output));
  CarryWaiting();
}

void Agent::Say(v1::AgentMessage message) {
  outputs_.Add(std::move(message));
  CarryWaiting();
}

void Agent::CarryWaiting() {
  while (AgentOutput* output = outputs_.Begin(*core_)) {
    if (output->must_sync && writer_.has_value()) {
      writing_since_ = SystemClock().SinceBoot();
      const bool compacts = journal_is_behind_ || journal_->IsLarge();
      writer_->Append(output->journal, compacts ? std::optional(core_->state()) : std::nullopt,
                      [this, compacts](const absl::Status& status) {
                        CarryOut(status);
                        if (compacts && status.ok()) {
                          CaughtUp();
                        }
                        CarryWaiting();
                      });
      return;
    }
    CarryOut(output->journal.empty() ? absl::OkStatus()
                                     : journal_->Append(output->journal, output->must_sync));
  }
}

void Agent::CarryOut(const absl::Status& status) {
  AgentOutput& output = outputs_.under_way();
  const bool is_lost = !status.ok() && !output.journal.empty();
  journal_is_behind_ = journal_is_behind_ || is_lost;
  if (is_lost && output.must_sync) {
    RefuseUnwritten(output, status);
    // Reports are told again once the journal is written; the rest promises nothing.
    std::erase_if(output.messages, [](const auto& message) { return message.has_report(); });
  } else {
    for (const TaskAction& action : output.actions) {
      runner_->Run(action);
    }
  }
  for (v1::AgentMessage& message : output.messages) {
    if (session_ != nullptr) {
      session_->Send(std::move(message));
    }
  }
  outputs_.Finish(status.ok());
}

void Agent::CatchUp() {
  if (journal_is_behind_ && !outputs_.busy()) {
    AgentOutput nothing_new;
    nothing_new.must_sync = true;
    Carry(std::move(nothing_new));
  }
}

void Agent::CaughtUp() {
  if (!journal_is_behind_) {
    return;
  }
  journal_is_behind_ = false;
  LogInfo("journal is written again", {});
  for (v1::AgentMessage& message : core_->TellAgain()) {
    Say(std::move(message));
  }
}

// What is not durable was not accepted: nothing of it starts, and nothing is promised about it.
void Agent::RefuseUnwritten(const AgentOutput& output, const absl::Status& status) {
  LogError("journal cannot be written", {
                                            {"error", std::string(status.message())}
  });
  for (const TaskAction& action : output.actions) {
    if (const auto* prepare = std::get_if<PrepareTask>(&action)) {
      OnTask(TaskRefused{prepare->assignment.allocation_id(), v1::REFUSAL_DISK,
                         absl::StrCat("the journal cannot be written: ", status.message())});
    } else {
      runner_->Run(action);
    }
  }
}

}  // namespace berth
