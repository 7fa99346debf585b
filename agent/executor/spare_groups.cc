#include "agent/executor/spare_groups.h"

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <iterator>
#include <utility>

#include "agent/executor/control_group_mounts.h"
#include "agent/shim/task_group.h"
#include <unistd.h>

namespace berth {
namespace {

constexpr size_t kSpareMax = 64;
// What an ended task may leave charged, as the pages of files that it has read: the kernel takes
// them back when the next task needs the room, which is work that is not its own.
constexpr int64_t kLeftBytesMax = 4 << 20;

bool IsAsGoodAsNew(const TaskGroups& groups) {
  const std::string& memory = groups.memory_folder;
  // A process that somebody has moved may be in one hierarchy only.
  return std::all_of(groups.folders.begin(), groups.folders.end(),
                     [](const std::string& folder) { return IsGroupEmpty({folder}); }) &&
         (memory.empty() ||
          (CountMemoryKills({memory}) == 0 && UsedMemory(memory) <= kLeftBytesMax));
}

// What a node's monitoring would call the next task's.
void ForgetMemoryPeaks(const std::string& memory) {
  for (const char* peak : {"/memory.max_usage_in_bytes", "/memory.failcnt"}) {
    WriteGroupFile(memory + peak, "0").IgnoreError();
  }
}

void RemoveGroups(const std::vector<std::string>& folders) {
  for (const std::string& folder : folders) {
    rmdir(folder.c_str());
  }
}

}  // namespace

bool SpareGroups::Take(const GroupLimits& limits, const std::vector<std::string>& folders) {
  const auto found = std::find_if(spare_.rbegin(), spare_.rend(), [&](const Spare& spare) {
    return spare.groups.limits == limits && spare.groups.folders.size() == folders.size();
  });
  if (found == spare_.rend()) {
    return false;
  }
  const std::vector<std::string> old_folders = std::move(found->groups.folders);
  spare_.erase(std::next(found).base());
  for (size_t i = 0; i < folders.size(); ++i) {
    if (std::rename(old_folders[i].c_str(), folders[i].c_str()) != 0) {
      RemoveGroups(old_folders);
      RemoveGroups(folders);
      return false;
    }
  }
  return true;
}

bool SpareGroups::Keep(TaskGroups groups) {
  if (spare_.size() >= kSpareMax || !IsAsGoodAsNew(groups)) {
    return false;
  }
  if (!groups.memory_folder.empty()) {
    ForgetMemoryPeaks(groups.memory_folder);
  }
  spare_.push_back({.groups = std::move(groups)});
  return true;
}

void SpareGroups::Tidy() {
  for (const Spare& spare : spare_) {
    if (spare.was_there) {
      RemoveGroups(spare.groups.folders);
    }
  }
  std::erase_if(spare_, [](const Spare& spare) { return spare.was_there; });
  for (Spare& spare : spare_) {
    spare.was_there = true;
  }
}

void SpareGroups::Clear() {
  for (const Spare& spare : spare_) {
    RemoveGroups(spare.groups.folders);
  }
  spare_.clear();
}

}  // namespace berth
