// How an agent starts: its folders, its journal, what its node has, and the tasks of the agent
// before.

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"

#include "agent/agent.h"
#include "agent/found_tasks.h"
#include "agent/launch_options.h"
#include "agent/shim/shim_protocol.h"
#include "common/credentials.h"
#include "common/error_detail.h"
#include "common/log.h"
#include "common/status_macros.h"
#include <fcntl.h>
#include <sys/stat.h>

namespace berth {
namespace {

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
    if (!absl::c_linear_search(facts_.facilities(), facility)) {
      facts_.add_facilities(facility);
    }
  }
  TaskLauncher launcher(std::move(launch), std::move(isolation));
  RETURN_IF_ERROR(launcher.WarmUp());
  runner_ = std::make_unique<TaskRunner>(std::move(launcher), loop_,
                                         [this](const TaskEvent& event) { OnTask(event); });
  ConnectDevices();
  runner_->SetOnNotice([this](v1::TaskNotice notice) { OnNotice(std::move(notice)); });
  channel_ = std::make_unique<SchedulerChannel>(address);
  const auto cache =
      std::make_shared<WorkdirCache>(options_.data_dir + "/workdirs", options_.workdir_cache_bytes);
  disk_ = std::make_unique<DiskWatch>(
      options_.disk, options_.data_dir, loop_,
      DiskWatch::Actions{
          .list = [this] { return runner_->ListDiskTasks(options_.disk.task_max); },
          .end = [this](const DiskVerdict& verdict) { runner_->EndForDisk(verdict); },
          .make_room = [cache] { return cache->Clear(); }});
  disk_->Start();
  archiver_ = std::make_unique<LogArchiver>(
      options_.data_dir, options_.log_dir, options_.log_keep, loop_,
      LogArchiver::Actions{.is_under_way = [this](uint64_t id) { return core_->Knows(id); },
                           .on_change = [this](bool works) { OnArchive(works); }});
  runner_->SetWorkdirs([this, cache](WorkdirOrder order) {
    return channel_->FetchWorkdir(std::move(order), cache);
  });
  RETURN_IF_ERROR(AdoptTasks());
  archiver_->Start();
  return absl::OkStatus();
}

void Agent::BeginJournal(AgentState& state) {
  if (journal_->records_lost()) {
    absl::SleepFor(absl::Milliseconds(1));  // so that one that loses it at once again has another
  }
  const size_t known = state.tasks.size();
  BeginLife(NewIncarnation(absl::Now()), journal_->records_lost(),
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
  runner_->SetDevices(devices_->DevicesAtHand());
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

}  // namespace berth
