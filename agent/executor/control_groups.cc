#include "agent/executor/control_groups.h"

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <iterator>
#include <set>
#include <system_error>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

#include "agent/executor/control_group_mounts.h"
#include "agent/shim/task_group.h"
#include "common/status_macros.h"
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace berth {
namespace {

constexpr int64_t kPeriodUs = 100000;
constexpr int64_t kMilliPerCpu = 1000;
// What the kernel takes.
constexpr int64_t kQuotaUsMin = 1000;
constexpr int64_t kSharesMin = 2;
constexpr int64_t kSharesMax = 262144;
constexpr int64_t kWeightMax = 10000;
// Of one whole processor: the kernel's defaults, so that a task beside others counts by its share.
constexpr int64_t kSharesPerCpu = 1024;
constexpr int64_t kWeightPerCpu = 100;
// The agent's own place in version 2, where a group with groups below may hold no process.
constexpr char kAgentGroup[] = "berth-agent";
constexpr char kTrialGroup[] = "trial";

struct Facility {
  const char* controller;
  const char* name;
};
constexpr Facility kFacilities[] = {
    {"cpu",     kFacilityCpu    },
    {"memory",  kFacilityMemory },
    {"pids",    kFacilityPids   },
    {"devices", kFacilityDevices},
    {"freezer", kFacilityKill   },
};

// One write each: the kernel takes a write as one order. O_CREAT and O_TRUNC mean nothing in its
// own file systems; they let tests do without them.
absl::Status WriteGroupFile(const std::string& path, const std::vector<std::string>& texts) {
  const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (file < 0) {
    return absl::ErrnoToStatus(errno, absl::StrCat("cannot open ", path));
  }
  absl::Status status;
  for (const std::string& text : texts) {
    if (write(file, text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
      status = absl::ErrnoToStatus(errno, absl::StrCat("cannot write ", text, " to ", path));
      break;
    }
  }
  close(file);
  return status;
}

absl::Status WriteGroupFile(const std::string& path, absl::string_view text) {
  return WriteGroupFile(path, std::vector<std::string>{std::string(text)});
}

// Whether there was none before.
absl::StatusOr<bool> MakeGroup(const std::string& folder) {
  if (mkdir(folder.c_str(), 0755) == 0) {
    return true;
  }
  return errno == EEXIST ? absl::StatusOr<bool>(false)
                         : absl::ErrnoToStatus(errno, absl::StrCat("cannot make ", folder));
}

bool Contains(const std::vector<std::string>& names, absl::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

absl::Status LimitCpu(const std::string& folder, bool unified, const GroupLimits& limits) {
  const int64_t quota_us = std::max(limits.cpu_milli * kPeriodUs / kMilliPerCpu, kQuotaUsMin);
  if (limits.cpu_milli > 0 && unified) {
    RETURN_IF_ERROR(WriteGroupFile(folder + "/cpu.max", absl::StrCat(quota_us, " ", kPeriodUs)));
  } else if (limits.cpu_milli > 0) {
    RETURN_IF_ERROR(WriteGroupFile(folder + "/cpu.cfs_period_us", absl::StrCat(kPeriodUs)));
    RETURN_IF_ERROR(WriteGroupFile(folder + "/cpu.cfs_quota_us", absl::StrCat(quota_us)));
  }
  if (limits.cpu_share_milli <= 0) {
    return absl::OkStatus();
  }
  if (unified) {
    const int64_t weight =
        std::clamp<int64_t>(limits.cpu_share_milli * kWeightPerCpu / kMilliPerCpu, 1, kWeightMax);
    return WriteGroupFile(folder + "/cpu.weight", absl::StrCat(weight));
  }
  const int64_t shares =
      std::clamp(limits.cpu_share_milli * kSharesPerCpu / kMilliPerCpu, kSharesMin, kSharesMax);
  return WriteGroupFile(folder + "/cpu.shares", absl::StrCat(shares));
}

absl::Status LimitMemory(const std::string& folder, bool unified, int64_t bytes) {
  if (bytes <= 0) {
    return absl::OkStatus();
  }
  const std::string text = absl::StrCat(bytes);
  if (!unified) {
    RETURN_IF_ERROR(WriteGroupFile(folder + "/memory.limit_in_bytes", text));
    // Only one of the two is there: the first where the kernel accounts swap.
    const bool no_swap = WriteGroupFile(folder + "/memory.memsw.limit_in_bytes", text).ok();
    return no_swap ? absl::OkStatus() : WriteGroupFile(folder + "/memory.swappiness", "0");
  }
  RETURN_IF_ERROR(WriteGroupFile(folder + "/memory.max", text));
  // A kernel without swap has no such file.
  if (access((folder + "/memory.swap.max").c_str(), F_OK) == 0) {
    RETURN_IF_ERROR(WriteGroupFile(folder + "/memory.swap.max", "0"));
  }
  return WriteGroupFile(folder + "/memory.oom.group", "1");
}

absl::Status LimitDevices(const std::string& folder, bool unified,
                          const std::vector<DeviceRule>& rules) {
  if (unified) {
    return AttachDeviceRules(folder, rules);
  }
  RETURN_IF_ERROR(WriteGroupFile(folder + "/devices.deny", "a"));
  std::vector<std::string> allowed;
  std::transform(rules.begin(), rules.end(), std::back_inserter(allowed), FormatDeviceRule);
  return WriteGroupFile(folder + "/devices.allow", allowed);
}

// It only helps to end processes.
bool IsFreezerOnly(const std::vector<std::string>& controllers) {
  return controllers == std::vector<std::string>{"freezer"};
}

// Version 2 has these everywhere: they are no controllers there.
bool NeedsNoPassing(absl::string_view name) {
  return name == "devices" || name == "freezer";
}

const char* FacilityOf(absl::string_view controller) {
  return std::find_if(std::begin(kFacilities), std::end(kFacilities),
                      [&](const Facility& facility) { return facility.controller == controller; })
      ->name;
}

// The group that is to hold this agent's folder.
std::string ParentOf(const GroupHierarchy& found, const ControlGroupOptions& options) {
  if (!options.parent.empty()) {
    return absl::StrCat(found.mount_point, options.parent);
  }
  absl::string_view own = found.own_folder;
  if (found.unified) {
    absl::ConsumeSuffix(&own, absl::StrCat("/", kAgentGroup));
  }
  return std::string(own);
}

// A group with groups below it may hold no process of its own, unless it is the root: where that
// would be this one, it goes into one below. If this fails, passing the controllers on fails too,
// and that is told.
void LeaveGroup(const std::string& folder) {
  const std::string leaf = absl::StrCat(folder, "/", kAgentGroup);
  if (access((folder + "/cgroup.type").c_str(), F_OK) == 0 && MakeGroup(leaf).ok()) {
    WriteGroupFile(leaf + "/cgroup.procs", absl::StrCat(getpid())).IgnoreError();
  }
}

}  // namespace

ControlGroups ControlGroups::Open(const ControlGroupOptions& options) {
  ControlGroups groups;
  for (const Facility& facility : kFacilities) {
    groups.missing_[facility.name] = "no writable hierarchy has it";
  }
  std::set<std::string> taken;
  std::vector<GroupHierarchy> found = FindGroupHierarchies(options.root);
  // Version 1 first: what it holds, version 2 does not have.
  std::stable_partition(found.begin(), found.end(),
                        [](const GroupHierarchy& hierarchy) { return !hierarchy.unified; });
  for (GroupHierarchy& hierarchy : found) {
    const std::string parent = ParentOf(hierarchy, options);
    std::vector<std::string> offered = std::move(hierarchy.controllers);
    if (hierarchy.unified) {
      offered =
          absl::StrSplit(ReadGroupFile(parent + "/cgroup.controllers"), ' ', absl::SkipEmpty());
      offered.insert(offered.end(), {"devices", "freezer"});
    }
    std::vector<std::string> used;
    for (const Facility& facility : kFacilities) {
      if (Contains(offered, facility.controller) && taken.insert(facility.controller).second) {
        used.emplace_back(facility.controller);
      }
    }
    if (!used.empty()) {
      groups.AddHierarchy(hierarchy, options, std::move(used));
    }
  }
  groups.Try();
  return groups;
}

void ControlGroups::AddHierarchy(const GroupHierarchy& found, const ControlGroupOptions& options,
                                 std::vector<std::string> controllers) {
  const std::string parent = ParentOf(found, options);
  if (found.unified && found.own_folder == parent) {
    LeaveGroup(parent);
  } else if (!found.unified) {
    // Whoever names a parent has it in some hierarchies only, as systemd. In version 2 a group
    // counts for what it was given by its owner: one that is not there is not made here.
    std::error_code error;
    std::filesystem::create_directories(parent, error);
  }
  Hierarchy hierarchy{absl::StrCat(parent, "/", options.name), std::move(controllers),
                      found.unified};
  if (const absl::Status made = MakeGroup(hierarchy.folder).status(); !made.ok()) {
    for (const std::string& controller : hierarchy.controllers) {
      missing_[FacilityOf(controller)] = std::string(made.message());
    }
    return;
  }
  if (hierarchy.unified) {
    PassOn(parent, hierarchy.controllers);
    PassOn(hierarchy.folder, hierarchy.controllers);
  }
  hierarchies_.push_back(std::move(hierarchy));
}

void ControlGroups::PassOn(const std::string& folder, std::vector<std::string>& controllers) {
  std::vector<std::string> passed;
  for (const std::string& controller : controllers) {
    const absl::Status status =
        NeedsNoPassing(controller)
            ? absl::OkStatus()
            : WriteGroupFile(folder + "/cgroup.subtree_control", absl::StrCat("+", controller));
    if (status.ok()) {
      passed.push_back(controller);
    } else {
      missing_[FacilityOf(controller)] = std::string(status.message());
    }
  }
  controllers = std::move(passed);
}

void ControlGroups::Try() {
  const GroupLimits limits{.cpu_milli = kMilliPerCpu,
                           .cpu_share_milli = kMilliPerCpu,
                           .memory_bytes = 64L << 20,
                           .processes_max = 16,
                           .devices = MakeDeviceRules({})};
  for (Hierarchy& hierarchy : hierarchies_) {
    const std::vector<std::string> controllers = std::exchange(hierarchy.controllers, {});
    const std::string folder = absl::StrCat(hierarchy.folder, "/", kTrialGroup);
    for (const Facility& facility : kFacilities) {
      if (!Contains(controllers, facility.controller)) {
        continue;
      }
      hierarchy.controllers = {facility.controller};
      absl::Status status = MakeGroup(folder).status();
      if (status.ok()) {
        status = SetLimits(hierarchy, folder, limits);
      }
      missing_[facility.name] = std::string(status.message());
    }
    rmdir(folder.c_str());
    hierarchy.controllers.clear();
    for (const Facility& facility : kFacilities) {
      if (Contains(controllers, facility.controller) && missing_[facility.name].empty()) {
        hierarchy.controllers.emplace_back(facility.controller);
        facilities_.emplace_back(facility.name);
        missing_.erase(facility.name);
      }
    }
  }
  hierarchies_.erase(
      std::remove_if(hierarchies_.begin(), hierarchies_.end(),
                     [](const Hierarchy& hierarchy) { return hierarchy.controllers.empty(); }),
      hierarchies_.end());
}

absl::Status ControlGroups::SetLimits(const Hierarchy& hierarchy, const std::string& folder,
                                      const GroupLimits& limits) const {
  for (const std::string& controller : hierarchy.controllers) {
    absl::Status status;
    if (controller == "cpu") {
      status = LimitCpu(folder, hierarchy.unified, limits);
    } else if (controller == "memory") {
      status = LimitMemory(folder, hierarchy.unified, limits.memory_bytes);
    } else if (controller == "pids" && limits.processes_max > 0) {
      status = WriteGroupFile(folder + "/pids.max", absl::StrCat(limits.processes_max));
    } else if (controller == "freezer" &&
               access((folder + (hierarchy.unified ? "/cgroup.kill" : "/freezer.state")).c_str(),
                      F_OK) != 0) {
      status = absl::NotFoundError("the kernel has no cgroup.kill: it is older than 5.14");
    } else if (controller == "devices") {
      status = LimitDevices(folder, hierarchy.unified, limits.devices);
    }
    RETURN_IF_ERROR(status);
  }
  return absl::OkStatus();
}

std::vector<std::string> ControlGroups::FoldersOf(absl::string_view group) const {
  std::vector<std::string> folders;
  for (const Hierarchy& hierarchy : hierarchies_) {
    folders.push_back(absl::StrCat(hierarchy.folder, "/", group));
  }
  return folders;
}

absl::StatusOr<std::vector<std::string>> ControlGroups::Make(uint64_t allocation,
                                                             const GroupLimits& limits) {
  std::vector<std::string> folders = FoldersOf(absl::StrCat(allocation));
  std::vector<std::string> made;
  for (size_t i = 0; i < folders.size(); ++i) {
    if (limits.end_with_init && IsFreezerOnly(hierarchies_[i].controllers)) {
      continue;
    }
    ASSIGN_OR_RETURN(const bool is_new, MakeGroup(folders[i]));
    if (!is_new && !IsGroupEmpty({folders[i]})) {
      KillGroup(folders);
      return absl::UnavailableError(
          absl::StrCat("processes of an earlier task are still in ", folders[i]));
    }
    RETURN_IF_ERROR(SetLimits(hierarchies_[i], folders[i], limits));
    made.push_back(folders[i]);
  }
  return made;
}

bool ControlGroups::Remove(uint64_t allocation) {
  const std::vector<std::string> folders = FoldersOf(absl::StrCat(allocation));
  bool gone = true;
  for (const std::string& folder : folders) {
    // A group with processes is not removed.
    gone = (rmdir(folder.c_str()) == 0 || errno == ENOENT) && gone;
  }
  if (!gone) {
    KillGroup(folders);
  }
  return gone;
}

void ControlGroups::Close() {
  for (const Hierarchy& hierarchy : hierarchies_) {
    rmdir(hierarchy.folder.c_str());
  }
}

std::vector<uint64_t> ControlGroups::Allocations() const {
  std::set<uint64_t> allocations;
  for (const Hierarchy& hierarchy : hierarchies_) {
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(hierarchy.folder, error)) {
      uint64_t allocation = 0;
      if (absl::SimpleAtoi(entry.path().filename().string(), &allocation)) {
        allocations.insert(allocation);
      }
    }
  }
  return {allocations.begin(), allocations.end()};
}

}  // namespace berth
