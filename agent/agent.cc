#include "agent/agent.h"

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"

#include "agent/found_tasks.h"
#include "agent/launch_options.h"
#include "agent/shim/shim_protocol.h"
#include "common/credentials.h"
#include "common/error_detail.h"
#include "common/log.h"
#include "common/status_macros.h"
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace berth {
namespace {

constexpr absl::Duration kReconnectFirst = absl::Milliseconds(100);
constexpr absl::Duration kReconnectMost = absl::Seconds(10);
constexpr absl::Duration kDeviceLook = absl::Seconds(1);
// Between two messages with what tasks tell of themselves: however much it is, the scheduler writes
// each task's down once in this time.
constexpr absl::Duration kNoticePause = absl::Seconds(2);
// Numbers of new journals are counted in seconds from here: 2020-01-01.
constexpr absl::Time kIncarnationsBegin = absl::FromUnixSeconds(1577836800);

absl::Duration SinceBoot() {
  return absl::Nanoseconds(BootTimeNs());
}

// Tasks of other users pass through, so others may enter but not list.
absl::Status MakeFolders(const std::string& path, mode_t mode) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error || chmod(path.c_str(), mode) != 0) {
    return MakeError(
        absl::StatusCode::kFailedPrecondition,
        {.code = "B5203",
         .message = absl::StrCat("cannot use the folder ", path),
         .why = error ? error.message() : std::error_code(errno, std::generic_category()).message(),
         .fix = "make it, or set data_dir and lock_dir in the configuration"});
  }
  return absl::OkStatus();
}

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

absl::Status Agent::Prepare() {
  RETURN_IF_ERROR(MakeFolders(options_.data_dir, 0711));
  RETURN_IF_ERROR(MakeFolders(options_.lock_dir, 0700));
  ASSIGN_OR_RETURN(const Secret token, ReadTokenFile(options_.token_file));
  SchedulerAddress address{.server = options_.server, .token = token.Reveal(), .ca = ""};
  if (!options_.ca_file.empty()) {
    const auto ca = ReadFileAt(AT_FDCWD, options_.ca_file.c_str());
    if (!ca.has_value()) {
      return absl::FailedPreconditionError(absl::StrCat("cannot read ", options_.ca_file));
    }
    address.ca = *ca;
  }
  AgentState state;
  ASSIGN_OR_RETURN(journal_, Journal::Open(options_.data_dir, state));
  BeginJournal(state);
  core_ = std::make_unique<AgentCore>(std::move(state), options_.node, ReadBootId());
  RETURN_IF_ERROR(journal_->Compact(core_->state()));
  RETURN_IF_ERROR(TakeInventory());
  ASSIGN_OR_RETURN(LaunchOptions launch, MakeLaunchOptions(options_, facts_));
  ASSIGN_OR_RETURN(Isolation isolation,
                   Isolation::Prepare(options_.isolation, launch.shim_path, options_.data_dir));
  // Tasks with mounts of their own are shown their folders; nobody else passes.
  RETURN_IF_ERROR(
      MakeFolders(options_.data_dir + "/jobs", isolation.has_private_mounts() ? 0700 : 0711));
  for (const std::string& facility : isolation.facilities()) {
    facts_.add_facilities(facility);
  }
  runner_ = std::make_unique<TaskRunner>(TaskLauncher(std::move(launch), std::move(isolation)),
                                         loop_, [this](const TaskEvent& event) { OnTask(event); });
  ConnectDevices();
  runner_->SetOnNotice([this](v1::TaskNotice notice) { OnNotice(std::move(notice)); });
  channel_ = std::make_unique<SchedulerChannel>(address);
  return AdoptTasks();
}

void Agent::BeginJournal(AgentState& state) {
  // An agent starts less often than once a second. One that loses its journal twice in a second
  // would be taken for itself.
  if (journal_->records_lost()) {
    const absl::Time now = absl::Now();
    absl::SleepFor(absl::FromUnixSeconds(absl::ToUnixSeconds(now) + 1) - now);
  }
  const int64_t since_us = WallTimeUs() - absl::ToUnixMicros(kIncarnationsBegin);
  const auto new_incarnation = static_cast<uint64_t>(
      std::max<int64_t>(since_us / absl::ToInt64Microseconds(absl::Seconds(1)), 1));
  const size_t known = state.tasks.size();
  BeginLife(new_incarnation, journal_->records_lost(),
            journal_->records_lost() ? FindTasks(options_.data_dir) : std::vector<JournaledTask>(),
            state);
  if (journal_->records_lost()) {
    LogWarning(
        "the journal has lost records, or this node is new: what was sent to it before and is "
        "not found here does not run again",
        {
            {"data_dir",    options_.data_dir         },
            {"tasks_found", state.tasks.size() - known}
    });
  }
}

// The runner asks about its tasks' devices, and tells what it sees of them.
void Agent::ConnectDevices() {
  std::map<int, v1::Device> devices;
  for (const v1::Device& device : facts_.devices()) {
    devices[device.index()] = device;
  }
  runner_->SetDevices(std::move(devices));
  runner_->SetDeviceGate([this](int index) { return devices_->WhyNotClean(index); });
  runner_->SetBeforeEnd([this] { OnDevices(devices_->Look()); });
  runner_->SetOnNodeFault([this](uint64_t allocation, const std::string& why) {
    LogError("this node asks for its quarantine", {
                                                      {"why", why}
    });
    Carry(core_->OnNodeFault(allocation, why, WallTimeUs()));
  });
  runner_->SetOnStuck([this](const v1::Assignment& assignment) {
    std::vector<DeviceEvent> events;
    for (const v1::DeviceAssignment& device : assignment.devices()) {
      events.push_back({DeviceEventKind::kStuckTask, device.index(), 0});
    }
    OnDevices(devices_->Judge(events));
  });
}

absl::Status Agent::TakeInventory() {
  facts_ = ReadNodeFacts(options_.facts);
  ASSIGN_OR_RETURN(DeviceWatch watch, DeviceWatch::Start(options_.devices, options_.data_dir));
  devices_.emplace(std::move(watch));
  const std::vector<v1::Device>& devices = devices_->devices();
  facts_.mutable_devices()->Assign(devices.begin(), devices.end());
  LogInfo("inventory taken", {
                                 {"node",       options_.node                                       },
                                 {"devices",    devices.size()                                      },
                                 {"class",      devices.empty() ? "none" : devices[0].device_class()},
                                 {"cpu_milli",  facts_.capacity().cpu_milli()                       },
                                 {"memory_mib", facts_.capacity().memory_mib()                      }
  });
  return absl::OkStatus();
}

absl::Status Agent::AdoptTasks() {
  int running = 0;
  int ended = 0;
  for (const JournaledTask& task : core_->TasksToAdopt()) {
    const TaskRunner::Adopted adopted = runner_->Adopt(task);
    if (adopted.state.has_value()) {
      ++running;
      Carry(core_->Adopt(task.assignment.allocation_id(), *adopted.state, options_.facts.address));
    } else if (adopted.end.has_value()) {
      ++ended;
      OnTask(*adopted.end);
    }
  }
  RETURN_IF_ERROR(EndStrays());
  if (running + ended > 0) {
    LogInfo("tasks of an earlier agent adopted", {
                                                     {"running", running},
                                                     {"ended",   ended  }
    });
  }
  return absl::OkStatus();
}

// Their records are on disk before the first hello tells of them.
absl::Status Agent::EndStrays() {
  for (const uint64_t id : runner_->FindStrays()) {
    if (core_->Knows(id)) {
      continue;  // its processes are being ended already
    }
    const AgentOutput output = core_->AdoptStray(id);
    RETURN_IF_ERROR(journal_->Append(output.journal, output.must_sync));
    runner_->EndStray(id);
  }
  return absl::OkStatus();
}

void Agent::WatchDevices() {
  OnDevices(devices_->Look());
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
  if (session_ != nullptr && core_->connected()) {
    v1::AgentMessage message;
    *message.mutable_facts() = facts_;
    session_->Send(std::move(message));
  }
}

void Agent::Run() {
  Connect();
  WatchDevices();
  loop_.Run();
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
  session_ = channel_->OpenSession(
      {.on_message =
           [this, number](const v1::SchedulerMessage& message) {
             loop_.Post([this, number, message] { OnMessage(number, message); });
           },
       .on_closed =
           [this, number](const absl::Status& status) {
             loop_.Post([this, number, status] { OnClosed(number, status); });
           }});
  session_->Send(core_->MakeHello(facts_, SinceBoot()));
}

void Agent::OnMessage(uint64_t session, const v1::SchedulerMessage& message) {
  if (session != session_number_) {
    return;
  }
  if (message.has_open_log()) {
    channel_->UploadLog(message.open_log(), options_.data_dir);
    return;
  }
  if (message.has_open_channel()) {
    const v1::OpenChannel& open = message.open_channel();
    channel_->EnterTask(open, runner_->FindEntry(open.allocation_id(), open.request().rank()));
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
  Carry(core_->OnMessage(message, SinceBoot()));
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
  notices_.BeginSession();
  TellNotices();
  Beat(session);
}

void Agent::Beat(uint64_t session) {
  if (session != session_number_ || !core_->connected()) {
    return;
  }
  CatchUp();
  session_->Send(core_->MakeHeartbeat(SinceBoot()));
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
  const absl::Duration now = SinceBoot();
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
  notices_told_ = SinceBoot();
  for (v1::AgentMessage& message : notices_.TakeNews(*notices_told_)) {
    session_->Send(std::move(message));
  }
}

void Agent::Carry(AgentOutput output) {
  if (!output.journal.empty()) {
    absl::Status status = journal_->Append(output.journal, output.must_sync);
    if (status.ok()) {
      status = journal_->CompactIfLarge(core_->state());
    }
    journal_is_behind_ = journal_is_behind_ || !status.ok();
    if (!status.ok() && output.must_sync) {
      RefuseUnwritten(output, status);
      return;
    }
  }
  for (const TaskAction& action : output.actions) {
    runner_->Run(action);
  }
  if (session_ == nullptr) {
    return;
  }
  for (v1::AgentMessage& message : output.messages) {
    session_->Send(std::move(message));
  }
}

void Agent::CatchUp() {
  if (!journal_is_behind_ || !journal_->Compact(core_->state()).ok()) {
    return;
  }
  journal_is_behind_ = false;
  LogInfo("journal is written again", {});
  for (v1::AgentMessage& message : core_->TellAgain()) {
    session_->Send(std::move(message));
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
