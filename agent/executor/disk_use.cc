#include "agent/executor/disk_use.h"

#include <memory>
#include <set>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

#include "agent/shim/shim_protocol.h"
#include "common/descriptor.h"
#include <dirent.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>

namespace berth {
namespace {

constexpr int kDepthMax = 128;        // each level keeps a descriptor open
constexpr int64_t kBlockBytes = 512;  // of stat(2), whatever the file system's are

using Folder = std::unique_ptr<DIR, int (*)(DIR*)>;

Folder OpenFolder(int at, const char* name) {
  const int folder = openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
  return {folder < 0 ? nullptr : fdopendir(folder), closedir};
}

bool IsDots(const char* name) {
  return name[0] == '.' && (name[1] == 0 || (name[1] == '.' && name[2] == 0));
}

class DiskUse {
 public:
  explicit DiskUse(const std::atomic<bool>& stop) : stop_(stop) {}

  void AddFolder(const std::string& path) {
    struct stat facts {};
    if (lstat(path.c_str(), &facts) == 0) {
      device_ = facts.st_dev;
      Walk(AT_FDCWD, path.c_str(), 1);
    }
  }

  // Of one process: what its open descriptors or its mappings lead to.
  void AddHeld(const std::string& links) {
    const Folder folder = OpenFolder(AT_FDCWD, links.c_str());
    while (const dirent* entry = Next(folder)) {
      struct stat facts {};
      if (fstatat(dirfd(folder.get()), entry->d_name, &facts, 0) == 0 && S_ISREG(facts.st_mode) &&
          facts.st_nlink == 0 &&
          (facts.st_dev == device_ || IsInImage(absl::StrCat(links, "/", entry->d_name)))) {
        AddOnce(facts);
      }
    }
  }

  int64_t bytes() const { return hidden_ ? kDiskUseHidden : bytes_; }

 private:
  const dirent* Next(const Folder& folder) const {
    while (folder != nullptr && !stop_) {
      const dirent* const entry = readdir(folder.get());
      if (entry == nullptr || !IsDots(entry->d_name)) {
        return entry;
      }
    }
    return nullptr;
  }

  void Walk(int at, const char* name, int depth) {
    hidden_ = hidden_ || depth > kDepthMax;
    if (hidden_) {
      return;
    }
    const Folder folder = OpenFolder(at, name);
    while (const dirent* entry = Next(folder)) {
      struct stat facts {};
      const int here = dirfd(folder.get());
      if (fstatat(here, entry->d_name, &facts, AT_SYMLINK_NOFOLLOW) != 0 ||
          facts.st_dev != device_) {
        continue;
      }
      if (S_ISDIR(facts.st_mode)) {
        bytes_ += facts.st_blocks * kBlockBytes;
        Walk(here, entry->d_name, depth + 1);
      } else if (facts.st_nlink == 1) {
        bytes_ += facts.st_blocks * kBlockBytes;
      } else {
        AddOnce(facts);
      }
    }
  }

  // What is written in an image lies in a folder of the task's, but has a device of its own.
  static bool IsInImage(const std::string& path) {
    struct statfs system {};
    return statfs(path.c_str(), &system) == 0 && system.f_type == OVERLAYFS_SUPER_MAGIC;
  }

  void AddOnce(const struct stat& facts) {
    if (seen_.emplace(facts.st_dev, facts.st_ino).second) {
      bytes_ += facts.st_blocks * kBlockBytes;
    }
  }

  const std::atomic<bool>& stop_;
  dev_t device_ = 0;
  int64_t bytes_ = 0;
  bool hidden_ = false;
  std::set<std::pair<dev_t, ino_t>> seen_;
};

}  // namespace

int64_t MeasureDiskUse(const DiskUseOrder& order, const std::atomic<bool>& stop) {
  DiskUse use(stop);
  for (const std::string& folder : order.folders) {
    use.AddFolder(folder);
  }
  if (order.groups.empty()) {
    return use.bytes();
  }
  // Every process is in each of the groups.
  const Descriptor group(open(order.groups[0].c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  const auto members = ReadFileAt(group.get(), "cgroup.procs");
  for (const absl::string_view line :
       absl::StrSplit(members.value_or(""), '\n', absl::SkipEmpty())) {
    for (const char* links : {"fd", "map_files"}) {
      use.AddHeld(absl::StrCat("/proc/", line, "/", links));
    }
  }
  return use.bytes();
}

}  // namespace berth
