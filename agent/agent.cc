#include "agent/agent.h"

#include <cerrno>
#include <climits>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

#include "agent/shim/shim_protocol.h"
#include "common/credentials.h"
#include "common/error_detail.h"
#include "common/log.h"
#include "common/status_macros.h"
#include <fcntl.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

namespace berth {
namespace {

constexpr absl::Duration kReconnectFirst = absl::Milliseconds(100);
constexpr absl::Duration kReconnectMost = absl::Seconds(10);

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

std::string OwnFolder() {
  char path[PATH_MAX];
  const ssize_t length = readlink("/proc/self/exe", path, sizeof(path));
  const std::string whole(path, static_cast<size_t>(std::max<ssize_t>(length, 0)));
  return whole.substr(0, whole.rfind('/'));
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
  RETURN_IF_ERROR(MakeFolders(options_.data_dir + "/jobs", 0711));
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
  ++state.incarnation;
  core_ = std::make_unique<AgentCore>(std::move(state), options_.node, ReadBootId());
  RETURN_IF_ERROR(journal_->Compact(core_->state()));
  RETURN_IF_ERROR(TakeInventory());
  ASSIGN_OR_RETURN(TaskRunnerOptions runner, RunnerOptions());
  runner_ = std::make_unique<TaskRunner>(std::move(runner), loop_,
                                         [this](const TaskEvent& event) { OnTask(event); });
  std::map<int, v1::DeviceKind> kinds;
  for (const v1::Device& device : facts_.devices()) {
    kinds[device.index()] = device.kind();
  }
  runner_->SetDeviceKinds(std::move(kinds));
  channel_ = std::make_unique<SchedulerChannel>(address);
  AdoptTasks();
  return absl::OkStatus();
}

absl::Status Agent::TakeInventory() {
  facts_ = ReadNodeFacts(options_.facts);
  ASSIGN_OR_RETURN(const std::vector<v1::Device> devices, FindDevices(options_.devices));
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

absl::StatusOr<TaskRunnerOptions> Agent::RunnerOptions() const {
  TaskRunnerOptions runner;
  runner.data_dir = options_.data_dir;
  runner.lock_dir = options_.lock_dir;
  runner.shim_path = options_.shim.empty() ? OwnFolder() + "/berth-shim" : options_.shim;
  runner.node = options_.node;
  runner.address = options_.facts.address;
  runner.environment = options_.environment;
  runner.ports = options_.ports;
  runner.cpu_milli = facts_.capacity().cpu_milli();
  runner.device_count = facts_.devices_size();
  if (access(runner.shim_path.c_str(), X_OK) != 0) {
    return MakeError(absl::StatusCode::kFailedPrecondition,
                     {.code = "B5204",
                      .message = absl::StrCat("cannot execute ", runner.shim_path),
                      .why = "every task runs under a berth-shim",
                      .fix = "install it beside berth-agent, or set shim in the configuration"});
  }
  passwd entry{};
  passwd* found = nullptr;
  char buffer[16384];
  const int error =
      options_.run_as.empty()
          ? getpwuid_r(getuid(), &entry, buffer, sizeof(buffer), &found)
          : getpwnam_r(options_.run_as.c_str(), &entry, buffer, sizeof(buffer), &found);
  if (found == nullptr && !options_.run_as.empty()) {
    return MakeError(
        absl::StatusCode::kFailedPrecondition,
        {.code = "B5205",
         .message = absl::StrCat("no user \"", options_.run_as, "\" for tasks on this machine"),
         .why = error != 0 ? std::error_code(error, std::generic_category()).message() : "",
         .fix = "correct run_as in [tasks]"});
  }
  if (found != nullptr) {
    runner.user_name = entry.pw_name;
    runner.home = entry.pw_dir;
  }
  if (!options_.run_as.empty()) {
    runner.owner = {static_cast<int64_t>(entry.pw_uid), static_cast<int64_t>(entry.pw_gid)};
  }
  return runner;
}

void Agent::AdoptTasks() {
  int running = 0;
  int ended = 0;
  for (const JournaledTask& task : core_->TasksToAdopt()) {
    const TaskRunner::Adopted adopted = runner_->Adopt(task);
    if (adopted.state.has_value()) {
      ++running;
      Carry(core_->Adopt(task.assignment.allocation_id(), *adopted.state, options_.facts.address));
    } else {
      ++ended;
      OnTask(*adopted.end);
    }
  }
  if (running + ended > 0) {
    LogInfo("tasks of an earlier agent adopted", {
                                                     {"running", running},
                                                     {"ended",   ended  }
    });
  }
}

void Agent::Run() {
  Connect();
  loop_.Run();
  if (core_->HasTasks()) {
    LogInfo("agent stops; its tasks go on", {
                                                {"node", options_.node}
    });
  }
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
  Beat(session);
}

void Agent::Beat(uint64_t session) {
  if (session != session_number_ || !core_->connected()) {
    return;
  }
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
  Carry(core_->OnTask(event, WallTimeUs()));
}

void Agent::Carry(AgentOutput output) {
  if (!output.journal.empty()) {
    absl::Status status = journal_->Append(output.journal, output.must_sync);
    if (status.ok()) {
      status = journal_->CompactIfLarge(core_->state());
    }
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
