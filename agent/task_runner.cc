#include "agent/task_runner.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <filesystem>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"

#include "common/credentials.h"
#include "common/log.h"
#include "common/status_macros.h"
#include <signal.h>

namespace berth {
namespace {

constexpr int kPortTriesMax = 50;

int RankCount(const v1::Assignment& assignment, const v1::JobSpec& spec) {
  return spec.launch() == v1::LAUNCH_MODE_DEVICE ? std::max(assignment.devices_size(), 1) : 1;
}

int SignalNumber(const std::string& name) {
  static const std::map<std::string, int> kSignals = {
      {"SIGTERM", SIGTERM},
      {"SIGINT",  SIGINT },
      {"SIGUSR1", SIGUSR1},
      {"SIGUSR2", SIGUSR2},
      {"SIGHUP",  SIGHUP },
      {"SIGQUIT", SIGQUIT}
  };
  const auto found = kSignals.find(name);
  return found == kSignals.end() ? SIGTERM : found->second;
}

// Device names come from drivers and configurations; in a file name they hold no separators.
std::string DeviceLockPath(const std::string& lock_dir, std::string uuid) {
  std::replace(uuid.begin(), uuid.end(), '/', '_');
  return absl::StrCat(lock_dir, "/device-", uuid, ".lock");
}

int64_t LeaseNs(absl::Duration deadline) {
  return deadline == absl::InfiniteDuration() ? 0 : absl::ToInt64Nanoseconds(deadline);
}

}  // namespace

TaskRunner::TaskRunner(TaskRunnerOptions options, EventLoop& loop, Listener listener)
    : options_(std::move(options)), loop_(loop), listener_(std::move(listener)) {}

void TaskRunner::Run(const TaskAction& action) {
  std::visit([this](const auto& kind) { Act(kind); }, action);
}

void TaskRunner::Tell(TaskEvent event) {
  loop_.Post([this, event = std::move(event)] { listener_(event); });
}

void TaskRunner::Act(const PrepareTask& action) {
  const uint64_t id = action.assignment.allocation_id();
  Task task;
  task.assignment = action.assignment;
  if (Sha256(action.assignment.job_spec()) != action.assignment.job_spec_sha256() ||
      !task.spec.ParseFromString(action.assignment.job_spec())) {
    Tell(TaskRefused{id, v1::REFUSAL_BAD_SPEC, "the job's specification did not arrive whole"});
    return;
  }
  const absl::Status status = Prepare(task, action.lease_deadline);
  if (!status.ok()) {
    const v1::Refusal refusal =
        absl::IsResourceExhausted(status) ? v1::REFUSAL_DISK : v1::REFUSAL_LAUNCH;
    Tell(TaskRefused{id, refusal, std::string(status.message())});
    return;
  }
  const auto inserted = tasks_.insert_or_assign(id, std::move(task)).first;
  WatchShim(inserted->second);
}

absl::Status TaskRunner::Prepare(Task& task, absl::Duration lease_deadline) {
  const v1::Assignment& assignment = task.assignment;
  ASSIGN_OR_RETURN(TaskFolder folder, TaskFolder::Make(options_.data_dir, assignment.job_id(),
                                                       assignment.attempt(), options_.owner));
  task.folder = std::make_unique<TaskFolder>(std::move(folder));
  TaskFile& file = task.file;
  RETURN_IF_ERROR(WriteScript(task));
  file.working_directory =
      task.spec.working_directory().empty() ? task.folder->work() : task.spec.working_directory();
  file.user_id = options_.owner.user_id;
  file.group_id = options_.owner.group_id;
  file.stop_signal = SignalNumber(task.spec.stop_signal());
  file.time_limit_ms = assignment.time_limit_ms();
  file.grace_ms = assignment.grace_ms();
  file.lease_deadline_ns = LeaseNs(lease_deadline);
  file.start_at_once = assignment.start_at_once() ? 1 : 0;
  const int ranks = RankCount(assignment, task.spec);
  for (int i = 0; i < ranks; ++i) {
    // Every member has as many devices, so this numbers the ranks of the whole gang.
    const int rank = assignment.rank() * ranks + i;
    file.ranks.push_back(
        {TaskFolder::LogPathOf(options_.data_dir, assignment.job_id(), assignment.attempt(), rank),
         {}});
  }
  RETURN_IF_ERROR(ReservePort(task));
  return StartShim(task);
}

absl::Status TaskRunner::WriteScript(Task& task) const {
  std::vector<std::string>& argv = task.file.argv;
  const std::string& script = task.spec.script();
  if (!script.empty()) {
    RETURN_IF_ERROR(task.folder->WriteFile("script", script, 0755));
    if (!absl::StartsWith(script, "#!")) {
      argv.emplace_back("/bin/sh");
    }
    argv.push_back(task.folder->script());
  }
  argv.insert(argv.end(), task.spec.command().begin(), task.spec.command().end());
  return argv.empty() ? absl::InvalidArgumentError("the job has no command") : absl::OkStatus();
}

absl::Status TaskRunner::ReservePort(Task& task) const {
  task.file.lock_paths.clear();
  for (const v1::DeviceAssignment& device : task.assignment.devices()) {
    task.file.lock_paths.push_back(DeviceLockPath(options_.lock_dir, device.uuid()));
  }
  if (task.assignment.rank() != 0) {
    return absl::OkStatus();
  }
  const auto port =
      FindFreePort(options_.ports, options_.lock_dir,
                   task.assignment.allocation_id() + static_cast<uint64_t>(task.port_tries));
  if (!port.has_value()) {
    return absl::UnavailableError(absl::StrCat("no rendezvous port is free between ",
                                               options_.ports.first, " and ", options_.ports.last));
  }
  task.rendezvous_port = *port;
  task.file.lock_paths.push_back(PortLockPath(options_.lock_dir, *port));
  return absl::OkStatus();
}

absl::Status TaskRunner::StartShim(Task& task) {
  if (task.assignment.start_at_once()) {
    const v1::Start start = StartOfSingle(task);
    const auto environments = Environments(task, start);
    for (size_t rank = 0; rank < environments.size(); ++rank) {
      task.file.ranks[rank].environment = environments[rank];
    }
    RETURN_IF_ERROR(task.folder->WriteFile(
        "hosts", FormatHostFile({start.members().begin(), start.members().end()}), 0644));
  }
  RETURN_IF_ERROR(task.folder->WriteFile(kTaskFileName, EncodeTaskFile(task.file), 0600));
  ASSIGN_OR_RETURN(ShimProcess shim, ShimProcess::Start(options_.shim_path, task.folder->path()));
  task.shim = std::make_unique<ShimProcess>(std::move(shim));
  return absl::OkStatus();
}

void TaskRunner::WatchShim(Task& task) {
  const uint64_t id = task.assignment.allocation_id();
  loop_.Watch(task.shim->socket(), [this, id] { OnShim(id); });
}

void TaskRunner::OnShim(uint64_t id) {
  const auto task = tasks_.find(id);
  if (task == tasks_.end()) {
    return;
  }
  bool ended = false;
  const auto event = task->second.shim->Receive(ended);
  if (event.has_value()) {
    OnShimEvent(task->second, *event);
  } else if (ended) {
    OnShimEnded(id);
  }
}

void TaskRunner::OnShimEvent(Task& task, const ShimEvent& event) {
  const uint64_t id = task.assignment.allocation_id();
  switch (event.kind) {
    case ShimEvent::Kind::kPrepared:
      listener_(TaskPrepared{id, options_.address, task.rendezvous_port});
      return;
    case ShimEvent::Kind::kStarted:
      listener_(TaskStarted{id});
      return;
    case ShimEvent::Kind::kLockHeld:
      if (!TryNextPort(task, event)) {
        task.refused = {id, v1::REFUSAL_LOCK_HELD,
                        absl::StrCat("held by another task: ", event.message)};
      }
      return;
    case ShimEvent::Kind::kFailed:
      task.refused = {id, v1::REFUSAL_LAUNCH, event.message};
      return;
    case ShimEvent::Kind::kStatus:
      return;
  }
}

bool TaskRunner::TryNextPort(Task& task, const ShimEvent& event) {
  const bool port_held = task.rendezvous_port != 0 &&
                         PortLockPath(options_.lock_dir, task.rendezvous_port) == event.message;
  if (!port_held || ++task.port_tries > kPortTriesMax) {
    return false;
  }
  loop_.Unwatch(task.shim->socket());
  task.shim->Reap();
  if (!ReservePort(task).ok() || !StartShim(task).ok()) {
    return false;
  }
  WatchShim(task);
  return true;
}

void TaskRunner::OnShimEnded(uint64_t id) {
  Task& task = tasks_.at(id);
  loop_.Unwatch(task.shim->socket());
  task.shim->Reap();
  const TaskEvent event =
      task.refused.has_value() ? TaskEvent(*task.refused) : EndOf(id, *task.folder);
  tasks_.erase(id);
  listener_(event);
}

TaskEvent TaskRunner::EndOf(uint64_t id, const TaskFolder& folder) {
  const auto text = ReadFileAt(folder.descriptor(), kExitFileName);
  const auto record = text.has_value() ? DecodeExitRecord(*text) : std::nullopt;
  if (!record.has_value()) {
    return TaskLost{id};
  }
  return TaskEnded{.allocation_id = id,
                   .exit_code = static_cast<int>(record->exit_code),
                   .signal = static_cast<int>(record->signal),
                   .failed_rank = static_cast<int>(record->failed_rank),
                   .stop_reason = static_cast<v1::StopReason>(record->stop_reason),
                   .exec_failed = record->exec_failed != 0,
                   .message = record->message};
}

v1::Start TaskRunner::StartOfSingle(const Task& task) const {
  v1::Start start;
  start.set_allocation_id(task.assignment.allocation_id());
  start.set_rendezvous_address(options_.address);
  start.set_rendezvous_port(task.rendezvous_port);
  v1::Start::Member& member = *start.add_members();
  member.set_node(options_.node);
  member.set_address(options_.address);
  member.set_devices(task.assignment.devices_size());
  return start;
}

std::vector<std::vector<std::string>> TaskRunner::Environments(const Task& task,
                                                               const v1::Start& start) const {
  TaskContext context{.assignment = task.assignment, .spec = task.spec};
  context.members = {start.members().begin(), start.members().end()};
  context.rendezvous_address = start.rendezvous_address();
  context.rendezvous_port = start.rendezvous_port();
  for (const v1::DeviceAssignment& device : task.assignment.devices()) {
    const auto kind = device_kinds_.find(device.index());
    context.device_kinds.push_back(kind == device_kinds_.end() ? v1::DEVICE_KIND_SIMULATED
                                                               : kind->second);
  }
  context.paths = {.folder = task.folder->path(),
                   .output = task.folder->output(),
                   .scratch = task.folder->scratch(),
                   .stop_file = task.folder->stop_file(),
                   .host_file = task.folder->host_file(),
                   .work = task.folder->work()};
  context.node = options_.node;
  context.start_time = absl::Now();
  context.end_time = context.start_time + absl::Milliseconds(task.assignment.time_limit_ms());
  context.operator_environment = options_.environment;
  const int ranks = static_cast<int>(task.file.ranks.size());
  const int64_t share = task.assignment.host().cpu_milli() > 0
                            ? task.assignment.host().cpu_milli()
                            : options_.cpu_milli * std::max(task.assignment.devices_size(), 1) /
                                  std::max(options_.device_count, 1);
  context.cores = static_cast<int>(std::max<int64_t>(share / 1000 / ranks, 1));
  context.user_name = options_.user_name;
  context.home = options_.home;
  std::vector<std::vector<std::string>> environments;
  for (int rank = 0; rank < ranks; ++rank) {
    environments.push_back(MakeEnvironment(context, {.local_rank = rank}));
  }
  return environments;
}

void TaskRunner::Act(const StartTask& action) {
  const auto found = tasks_.find(action.allocation_id);
  if (found == tasks_.end()) {
    return;
  }
  const Task& task = found->second;
  AgentCommand command;
  command.kind = AgentCommand::Kind::kStart;
  absl::Status status = task.folder->WriteFile(
      "hosts", FormatHostFile({action.start.members().begin(), action.start.members().end()}),
      0644);
  if (status.ok()) {
    status = task.folder->WriteFile(kStartFileName,
                                    EncodeStartFile(Environments(task, action.start)), 0600);
  }
  if (!status.ok()) {
    LogError("task cannot start",
             {
                 {"allocation", action.allocation_id         },
                 {"error",      std::string(status.message())}
    });
    command.kind = AgentCommand::Kind::kStop;
    command.reason = v1::STOP_REASON_GANG;
    std::strncpy(command.message, "the node's disk is full", sizeof(command.message) - 1);
  }
  task.shim->Send(command);
}

void TaskRunner::Act(const StopTask& action) {
  const auto task = tasks_.find(action.allocation_id);
  if (task == tasks_.end()) {
    return;
  }
  AgentCommand command;
  command.kind = AgentCommand::Kind::kStop;
  command.reason = action.reason;
  command.value = absl::ToInt64Milliseconds(action.grace);
  std::strncpy(command.message, action.message.c_str(), sizeof(command.message) - 1);
  task->second.shim->Send(command);
}

void TaskRunner::Act(const SetLease& action) {
  const auto task = tasks_.find(action.allocation_id);
  if (task == tasks_.end()) {
    return;
  }
  AgentCommand command;
  command.kind = AgentCommand::Kind::kSetLease;
  command.value = LeaseNs(action.deadline);
  task->second.shim->Send(command);
}

void TaskRunner::Act(const DropTask& action) {
  // The task itself left with its shim; its folder is found by the names that DropTask carries.
  const absl::StatusOr<TaskFolder> folder =
      TaskFolder::Open(options_.data_dir, action.job_id, action.attempt);
  if (folder.ok()) {
    folder->Drop();
  }
}

TaskRunner::Adopted TaskRunner::Adopt(const JournaledTask& journaled) {
  const v1::Assignment& assignment = journaled.assignment;
  const uint64_t id = assignment.allocation_id();
  Adopted adopted;
  absl::StatusOr<TaskFolder> folder =
      TaskFolder::Open(options_.data_dir, assignment.job_id(), assignment.attempt());
  if (!folder.ok()) {
    adopted.end = TaskLost{id};
    return adopted;
  }
  absl::StatusOr<ShimProcess> shim = ShimProcess::Find(folder->descriptor());
  const int status = shim.ok() ? shim->AskStatus() : -1;
  const auto file = ReadFileAt(folder->descriptor(), kTaskFileName);
  auto decoded = file.has_value() ? DecodeTaskFile(*file) : std::nullopt;
  if (status < 0 || !decoded.has_value()) {
    adopted.end = EndOf(id, *folder);
    return adopted;
  }
  Task& task = tasks_[id];
  task.assignment = assignment;
  task.spec.ParseFromString(assignment.job_spec());
  task.folder = std::make_unique<TaskFolder>(*std::move(folder));
  task.shim = std::make_unique<ShimProcess>(*std::move(shim));
  task.file = *std::move(decoded);
  task.rendezvous_port = journaled.rendezvous_port;
  WatchShim(task);
  constexpr std::array<v1::TaskState, 3> kStates = {v1::TASK_STATE_PREPARED, v1::TASK_STATE_RUNNING,
                                                    v1::TASK_STATE_STOPPING};
  adopted.state = kStates.at(static_cast<size_t>(status));
  return adopted;
}

}  // namespace berth
