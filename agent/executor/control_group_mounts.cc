#include "agent/executor/control_group_mounts.h"

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <sstream>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

#include <fcntl.h>
#include <unistd.h>

namespace berth {
namespace {

struct OwnGroup {
  std::vector<std::string> controllers;  // none: version 2
  std::string path;
};

// Lines ID:CONTROLLERS:PATH.
std::vector<OwnGroup> ReadOwnGroups(const std::string& root) {
  std::vector<OwnGroup> groups;
  const std::string table = ReadGroupFile(root + "/proc/self/cgroup");
  for (const absl::string_view line : absl::StrSplit(table, '\n')) {
    const std::vector<std::string> parts = absl::StrSplit(line, absl::MaxSplits(':', 2));
    if (parts.size() == 3) {
      groups.push_back({absl::StrSplit(parts[1], ',', absl::SkipEmpty()), parts[2]});
    }
  }
  return groups;
}

std::string FolderOf(const OwnGroup& own, absl::string_view mount_root,
                     const std::string& mount_point) {
  absl::string_view path = own.path;
  if (mount_root != "/" && !absl::ConsumePrefix(&path, mount_root)) {
    return mount_point;
  }
  return absl::StrCat(mount_point, path == "/" ? "" : path);
}

}  // namespace

std::string ReadGroupFile(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return std::string(absl::StripAsciiWhitespace(text.str()));
}

absl::Status WriteGroupFile(const std::string& path, const std::vector<std::string>& texts) {
  // O_CREAT and O_TRUNC mean nothing in the kernel's own file systems; they let tests do without.
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

std::vector<GroupHierarchy> FindGroupHierarchies(const std::string& root) {
  std::vector<GroupHierarchy> found;
  const std::vector<OwnGroup> own = ReadOwnGroups(root);
  const std::string table = ReadGroupFile(root + "/proc/self/mountinfo");
  for (const absl::string_view line : absl::StrSplit(table, '\n')) {
    // ID PARENT MAJOR:MINOR ROOT MOUNT-POINT OPTIONS TAGS... - TYPE SOURCE SUPER-OPTIONS
    const std::vector<std::string> halves = absl::StrSplit(line, absl::MaxSplits(" - ", 1));
    const std::vector<std::string> left = absl::StrSplit(halves.front(), ' ');
    const std::vector<std::string> right = absl::StrSplit(halves.back(), ' ', absl::SkipEmpty());
    if (halves.size() != 2 || left.size() < 6 || right.size() < 3 ||
        !absl::StartsWith(right[0], "cgroup")) {
      continue;
    }
    GroupHierarchy hierarchy{.unified = right[0] == "cgroup2", .mount_point = root + left[4]};
    const std::vector<std::string> super_options = absl::StrSplit(right[2], ',');
    const auto mounted = std::find_if(own.begin(), own.end(), [&](const OwnGroup& group) {
      return hierarchy.unified ? group.controllers.empty()
                               : !group.controllers.empty() &&
                                     std::find(super_options.begin(), super_options.end(),
                                               group.controllers.front()) != super_options.end();
    });
    const std::vector<std::string> options = absl::StrSplit(left[5], ',');
    if (mounted == own.end() || std::find(options.begin(), options.end(), "ro") != options.end()) {
      continue;
    }
    hierarchy.controllers = mounted->controllers;
    hierarchy.own_folder = FolderOf(*mounted, left[3], hierarchy.mount_point);
    found.push_back(std::move(hierarchy));
  }
  return found;
}

}  // namespace berth
