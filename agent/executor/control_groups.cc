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
#include <sys/stat.h>
#include <unistd.h>

namespace berth {
namespace {

// The agent's own place in version 2, where a group with groups below may hold no process.
constexpr char kAgentGroup[] = "berth-agent";
constexpr char kTrialGroup[] = "trial";
constexpr int64_t kTrialCpuMilli = 1000;

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
  const GroupLimits limits{.cpu_milli = kTrialCpuMilli,
                           .cpu_share_milli = kTrialCpuMilli,
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
        status = SetLimits(hierarchy.controllers, folder, hierarchy.unified, limits);
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

std::vector<std::string> ControlGroups::FoldersOf(absl::string_view group) const {
  std::vector<std::string> folders;
  for (const Hierarchy& hierarchy : hierarchies_) {
    folders.push_back(absl::StrCat(hierarchy.folder, "/", group));
  }
  return folders;
}

bool ControlGroups::MayBeKept(const GroupLimits& limits) const {
  return !limits.tenant.empty() && limits.end_with_init &&
         std::none_of(hierarchies_.begin(), hierarchies_.end(),
                      [](const Hierarchy& hierarchy) { return hierarchy.unified; });
}

TaskGroups ControlGroups::GroupsFor(uint64_t allocation, const GroupLimits& limits) const {
  TaskGroups groups{.folders = {}, .memory_folder = "", .limits = limits};
  for (const Hierarchy& hierarchy : hierarchies_) {
    if (limits.end_with_init && IsFreezerOnly(hierarchy.controllers)) {
      continue;
    }
    groups.folders.push_back(absl::StrCat(hierarchy.folder, "/", allocation));
    if (Contains(hierarchy.controllers, "memory")) {
      groups.memory_folder = groups.folders.back();
    }
  }
  return groups;
}

absl::StatusOr<std::vector<std::string>> ControlGroups::Make(uint64_t allocation,
                                                             const GroupLimits& limits) {
  if (!MayBeKept(limits)) {
    return MakeNew(allocation, limits);
  }
  TaskGroups groups = GroupsFor(allocation, limits);
  if (!spare_.Take(limits, groups.folders)) {
    RETURN_IF_ERROR(MakeNew(allocation, limits).status());
  }
  return to_keep_.insert_or_assign(allocation, std::move(groups)).first->second.folders;
}

absl::StatusOr<std::vector<std::string>> ControlGroups::MakeNew(uint64_t allocation,
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
    RETURN_IF_ERROR(
        SetLimits(hierarchies_[i].controllers, folders[i], hierarchies_[i].unified, limits));
    made.push_back(folders[i]);
  }
  return made;
}

bool ControlGroups::Remove(uint64_t allocation) {
  if (auto kept = to_keep_.extract(allocation);
      !kept.empty() && spare_.Keep(std::move(kept.mapped()))) {
    return true;
  }
  if (RemoveEmpty(allocation)) {
    return true;
  }
  KillGroup(FoldersOf(absl::StrCat(allocation)));
  return false;
}

bool ControlGroups::RemoveEmpty(uint64_t allocation) {
  bool gone = true;
  for (const std::string& folder : FoldersOf(absl::StrCat(allocation))) {
    // A group with processes is not removed.
    gone = (rmdir(folder.c_str()) == 0 || errno == ENOENT) && gone;
  }
  return gone;
}

void ControlGroups::Close() {
  spare_.Clear();
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
