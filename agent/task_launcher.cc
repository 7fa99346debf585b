#include "agent/task_launcher.h"

#include <algorithm>
#include <array>
#include <iterator>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

#include "agent/executor/device_rules.h"
#include "agent/executor/environment.h"
#include "agent/executor/log_archive.h"
#include "agent/found_tasks.h"
#include "agent/shim/probe.h"
#include "common/quantity.h"
#include "common/status_macros.h"
#include <signal.h>

namespace berth {
namespace {

constexpr int kPortTriesMax = 50;

// The network is the node's, and so are its names, in an image, too.
constexpr std::array<const char*, 3> kNameFiles = {"/etc/hosts", "/etc/hostname",
                                                   "/etc/resolv.conf"};

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

// Where the task's own processes find its things.
TaskPaths PathsOf(const LaunchedTask& task) {
  if (task.file.sandbox.private_mounts == 0) {
    return {.folder = task.folder->path(),
            .output = task.folder->output(),
            .scratch = task.folder->scratch(),
            .stop_file = task.folder->stop_file(),
            .host_file = task.folder->host_file(),
            .notice_socket = absl::StrCat(task.folder->path(), "/", kNoticeSocketName),
            .work = task.folder->work()};
  }
  const std::string folder = kShownTaskFolder;
  return {.folder = folder,
          .output = kShownOutputFolder,
          .scratch = "/tmp",
          .stop_file = absl::StrCat(folder, "/", kStopFileName),
          .host_file = folder + "/hosts",
          .notice_socket = kShownNoticeSocket,
          .work = folder + "/work"};
}

}  // namespace

int64_t LeaseNs(absl::Duration deadline) {
  return deadline == absl::InfiniteDuration() ? 0 : absl::ToInt64Nanoseconds(deadline);
}

absl::Status TaskLauncher::MakeFolder(LaunchedTask& task) const {
  const v1::Assignment& assignment = task.assignment;
  // A restored scheduler gives out numbers of attempts again: an exit record of then is not this
  // attempt's.
  if (const auto before =
          TaskFolder::Open(options_.data_dir, assignment.job_id(), assignment.attempt());
      before.ok()) {
    before->Drop();
  }
  const TaskOwner owner = OwnerOf(assignment);
  if (options_.archives_logs) {
    RETURN_IF_ERROR(MarkUnarchived(options_.data_dir,
                                   {.job = assignment.job_id(),
                                    .attempt = assignment.attempt(),
                                    .allocation_id = assignment.allocation_id()},
                                   assignment.tenant(), owner.group_id));
  }
  ASSIGN_OR_RETURN(TaskFolder folder, TaskFolder::Make(options_.data_dir, assignment.job_id(),
                                                       assignment.attempt(), owner));
  task.folder = std::make_unique<TaskFolder>(std::move(folder));
  return absl::OkStatus();
}

std::string TaskLauncher::WhyNotHere(const v1::Assignment& assignment) const {
  for (const v1::DeviceAssignment& device : assignment.devices()) {
    const auto here = devices_.find(device.index());
    if (here == devices_.end() || here->second.uuid() != device.uuid() ||
        here->second.device_class() != device.device_class()) {
      return absl::StrCat("device ", device.index(), " (", device.uuid(),
                          ") is not on the node any more");
    }
  }
  return "";
}

absl::Status TaskLauncher::Prepare(LaunchedTask& task, absl::Duration lease_deadline) {
  const v1::Assignment& assignment = task.assignment;
  const TaskOwner owner = OwnerOf(assignment);
  if (task.folder == nullptr) {
    RETURN_IF_ERROR(MakeFolder(task));
  }
  if (!task.job_token.empty()) {
    RETURN_IF_ERROR(task.folder->WriteToken(std::exchange(task.job_token, ""), owner));
  }
  TaskFile& file = task.file;
  RETURN_IF_ERROR(MakeSandbox(task));
  RETURN_IF_ERROR(WriteScript(task));
  file.working_directory =
      task.spec.working_directory().empty() ? PathsOf(task).work : task.spec.working_directory();
  file.user_id = owner.user_id;
  file.group_id = owner.group_id;
  file.stop_signal = SignalNumber(task.spec.stop_signal());
  file.time_limit_ms = assignment.time_limit_ms();
  file.grace_ms = assignment.grace_ms();
  file.idle_ms = task.spec.idle_ms();
  file.open_stdin = task.spec.open_stdin() && assignment.rank() == 0 ? 1 : 0;
  file.lease_deadline_ns = LeaseNs(lease_deadline);
  file.start_at_once = assignment.start_at_once() ? 1 : 0;
  file.log_segment_bytes = options_.log_segment_bytes;
  file.log_segments_max = options_.log_segments_max;
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

absl::Status TaskLauncher::WriteScript(LaunchedTask& task) const {
  std::vector<std::string>& argv = task.file.argv;
  const std::string& script = task.spec.script();
  if (!script.empty()) {
    RETURN_IF_ERROR(task.folder->WriteFile("script", script, 0755));
    if (!absl::StartsWith(script, "#!")) {
      argv.emplace_back("/bin/sh");
    }
    argv.push_back(PathsOf(task).folder + "/script");
  }
  argv.insert(argv.end(), task.spec.command().begin(), task.spec.command().end());
  return argv.empty() ? absl::InvalidArgumentError("the job has no command") : absl::OkStatus();
}

TaskOwner TaskLauncher::OwnerOf(const v1::Assignment& assignment) const {
  if (options_.owner.user_id >= 0 || !isolation_.Has(kFacilityUsers)) {
    return options_.owner;
  }
  return FindTaskOwner(options_.users, assignment.tenant(), assignment.user(), assignment.job_id());
}

int64_t TaskLauncher::ShareOf(const v1::Assignment& assignment, int64_t whole) const {
  const auto devices = static_cast<int64_t>(devices_.size());
  return whole * std::max(assignment.devices_size(), 1) / std::max<int64_t>(devices, 1);
}

absl::Status TaskLauncher::MakeSandbox(LaunchedTask& task) {
  const v1::Assignment& assignment = task.assignment;
  const v1::HostResources& asked = assignment.host();
  TaskNeeds needs{.allocation_id = assignment.allocation_id(),
                  .tenant = assignment.tenant(),
                  .task_folder = task.folder->path(),
                  .output_folder = task.folder->output(),
                  .cpu_milli = asked.cpu_milli()};
  needs.cpu_share_milli = asked.cpu_milli() > 0
                              ? asked.cpu_milli()
                              : ShareOf(assignment, options_.capacity.cpu_milli());
  // What nobody asked for is shared out with the devices; a task without any gets what is there.
  const int64_t capacity_mib = options_.capacity.memory_mib();
  const int64_t share_mib =
      assignment.devices_size() > 0 ? ShareOf(assignment, capacity_mib) : capacity_mib;
  needs.memory_bytes = (asked.memory_mib() > 0 ? asked.memory_mib() : share_mib) * kBytesPerMib;
  for (const v1::DeviceAssignment& device : assignment.devices()) {
    const auto known = devices_.find(device.index());
    if (known == devices_.end()) {
      continue;
    }
    std::vector<std::string> files =
        DeviceFilesOf(known->second.kind(), known->second.minor_number());
    std::move(files.begin(), files.end(), std::back_inserter(needs.device_files));
    needs.device_files.insert(needs.device_files.end(), known->second.files().begin(),
                              known->second.files().end());
  }
  std::sort(needs.device_files.begin(), needs.device_files.end());
  needs.device_files.erase(std::unique(needs.device_files.begin(), needs.device_files.end()),
                           needs.device_files.end());
  ASSIGN_OR_RETURN(task.file.sandbox, isolation_.MakeSandbox(needs));
  if (!task.image.root.empty()) {
    task.file.sandbox.image_root = task.image.root;
    task.file.sandbox.image_mounts = {kNameFiles.begin(), kNameFiles.end()};
    const std::vector<std::string>& shown = options_.images.mounts;
    task.file.sandbox.image_mounts.insert(task.file.sandbox.image_mounts.end(), shown.begin(),
                                          shown.end());
    if (task.folder->HasToken() && !options_.ca_file.empty()) {
      task.file.sandbox.image_mounts.push_back(options_.ca_file);
    }
  }
  return absl::OkStatus();
}

absl::Status TaskLauncher::WriteStart(const LaunchedTask& task, const v1::Start& start) const {
  RETURN_IF_ERROR(task.folder->WriteFile(
      "hosts", FormatHostFile({start.members().begin(), start.members().end()}), 0644));
  return task.folder->WriteFile(kStartFileName, EncodeStartFile(Environments(task, start)), 0600);
}

absl::Status TaskLauncher::ReservePort(LaunchedTask& task) const {
  task.file.lock_paths.clear();
  task.file.shared_lock_paths.clear();
  for (const v1::DeviceAssignment& device : task.assignment.devices()) {
    (IsShare(device) ? task.file.shared_lock_paths : task.file.lock_paths)
        .push_back(DeviceLockPath(options_.lock_dir, device.uuid()));
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

absl::Status TaskLauncher::StartShim(LaunchedTask& task) const {
  if (task.assignment.start_at_once()) {
    const v1::Start start = StartOfSingle(task);
    const auto environments = Environments(task, start);
    for (size_t rank = 0; rank < environments.size(); ++rank) {
      task.file.ranks[rank].environment = environments[rank];
    }
    RETURN_IF_ERROR(task.folder->WriteFile(
        "hosts", FormatHostFile({start.members().begin(), start.members().end()}), 0644));
  }
  task.file.agent_record = EncodeFoundTask({task.assignment, task.rendezvous_port});
  RETURN_IF_ERROR(task.folder->WriteFile(kTaskFileName, EncodeTaskFile(task.file), 0600));
  ASSIGN_OR_RETURN(ShimProcess shim, shims_->Start(task.folder->path()));
  task.shim = std::make_unique<ShimProcess>(std::move(shim));
  return absl::OkStatus();
}

bool TaskLauncher::TryNextPort(LaunchedTask& task, const ShimEvent& event) {
  const bool port_held = task.rendezvous_port != 0 &&
                         PortLockPath(options_.lock_dir, task.rendezvous_port) == event.message;
  if (!port_held || ++task.port_tries > kPortTriesMax) {
    return false;
  }
  task.shim->Reap();
  return ReservePort(task).ok() && StartShim(task).ok();
}

v1::Start TaskLauncher::StartOfSingle(const LaunchedTask& task) const {
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

std::vector<std::vector<std::string>> TaskLauncher::Environments(const LaunchedTask& task,
                                                                 const v1::Start& start) const {
  TaskContext context{.assignment = task.assignment, .spec = task.spec};
  context.members = {start.members().begin(), start.members().end()};
  context.rendezvous_address = start.rendezvous_address();
  context.rendezvous_port = start.rendezvous_port();
  for (const v1::DeviceAssignment& device : task.assignment.devices()) {
    const auto known = devices_.find(device.index());
    context.device_kinds.push_back(known == devices_.end() ? v1::DEVICE_KIND_SIMULATED
                                                           : known->second.kind());
  }
  context.paths = PathsOf(task);
  if (task.folder->HasToken()) {
    context.paths.token = absl::StrCat(context.paths.folder, "/", kTokenFileName);
  }
  context.server = options_.server;
  context.ca_file = options_.ca_file;
  context.node = options_.node;
  context.start_time = absl::Now();
  context.end_time = context.start_time + absl::Milliseconds(task.assignment.time_limit_ms());
  context.image_environment = task.image.environment;
  context.operator_environment = options_.environment;
  const int ranks = static_cast<int>(task.file.ranks.size());
  const int64_t asked = task.assignment.host().cpu_milli();
  const int64_t share = asked > 0 ? asked : ShareOf(task.assignment, options_.capacity.cpu_milli());
  context.cores = static_cast<int>(std::max<int64_t>(share / 1000 / ranks, 1));
  context.user_name = options_.user_name.empty() ? task.assignment.user() : options_.user_name;
  context.home = options_.home;
  std::vector<std::vector<std::string>> environments;
  for (int rank = 0; rank < ranks; ++rank) {
    environments.push_back(MakeEnvironment(context, {.local_rank = rank}));
  }
  return environments;
}

}  // namespace berth
