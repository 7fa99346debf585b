#include "client/folder_scan.h"

#include <algorithm>
#include <cerrno>
#include <map>
#include <optional>
#include <system_error>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

#include "client/ignore_rules.h"
#include "client/text.h"
#include "common/descriptor.h"
#include "common/error_detail.h"
#include "common/quantity.h"
#include "common/sha256_sum.h"
#include "common/status_macros.h"
#include "common/workdir_manifest.h"
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace berth {
namespace {

constexpr const char* kIgnoreFiles[] = {".gitignore", ".berthignore"};
constexpr int64_t kIgnoreFileBytesMax = 1 << 20;
constexpr size_t kLinkBytesMax = 4096;
constexpr size_t kLargestShown = 5;
// Of files that are found and not yet known to be too many.
constexpr int kEntriesMax = kWorkdirLimitsMost.entries_max;

absl::Status CannotUpload(absl::string_view message, absl::string_view why, absl::string_view fix) {
  return MakeError(absl::StatusCode::kInvalidArgument,
                   {.code = "B1310", .message = message, .why = why, .fix = fix});
}

absl::Status CannotRead(const std::string& path, int error) {
  return CannotUpload(absl::StrCat("cannot read \"", CleanText(path), "\" to upload it"),
                      std::generic_category().message(error),
                      "make it readable, or leave it out: list it in .berthignore");
}

Descriptor OpenBeneath(int folder, const std::string& name, int flags) {
  return Descriptor(openat(folder, name.c_str(), flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
}

// What is in the whole folder, by the names that stand in it: for who must leave something out.
struct Share {
  int64_t bytes = 0;
  int entries = 0;
};

class Scan {
 public:
  explicit Scan(ScannedFolder& out) : out_(out) {}

  absl::Status Walk(int folder, const std::string& below, int depth) {
    if (depth > static_cast<int>(kWorkdirDepthMax)) {
      return CannotUpload(absl::StrCat("\"", CleanText(below), "\" lies too deep"),
                          absl::StrCat("an uploaded folder may have ", kWorkdirDepthMax, " levels"),
                          "leave it out: list it in .berthignore");
    }
    ASSIGN_OR_RETURN(const std::vector<std::string> names, NamesIn(folder, below));
    RETURN_IF_ERROR(ReadIgnoreFiles(folder, below));
    for (const std::string& name : names) {
      RETURN_IF_ERROR(Add(folder, below.empty() ? name : absl::StrCat(below, "/", name), depth));
    }
    rules_.erase(below);
    return absl::OkStatus();
  }

  absl::Status CheckSize(int64_t size_max) const {
    int64_t bytes = 0;
    for (const auto& [name, share] : shares_) {
      bytes += share.bytes;
    }
    if (bytes > size_max) {
      return TooLarge(absl::StrCat("has ", FormatSize(bytes), ", and at most ",
                                   FormatSize(size_max), " are uploaded"),
                      ", or allow more with --upload-max");
    }
    if (too_many_) {
      return TooLarge(absl::StrCat("has more than ", kEntriesMax, " files, folders and links"), "");
    }
    return absl::OkStatus();
  }

 private:
  static absl::StatusOr<std::vector<std::string>> NamesIn(int folder, const std::string& below) {
    const int again = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR* const entries = again < 0 ? nullptr : fdopendir(again);
    if (entries == nullptr) {
      return CannotRead(below, errno);
    }
    std::vector<std::string> names;
    while (const dirent* entry = readdir(entries)) {
      const std::string name = entry->d_name;
      if (name != "." && name != ".." && name != ".git") {
        names.push_back(name);
      }
    }
    closedir(entries);
    std::sort(names.begin(), names.end());
    return names;
  }

  absl::Status ReadIgnoreFiles(int folder, const std::string& below) {
    std::vector<IgnoreRules>& rules = rules_[below];
    for (const char* name : kIgnoreFiles) {
      const Descriptor file = OpenBeneath(folder, name, O_RDONLY);
      if (!file.is_open() && errno != EACCES) {
        continue;  // none, or a link
      }
      struct stat facts {};
      const bool is_file = file.is_open() && fstat(file.get(), &facts) == 0 &&
                           S_ISREG(facts.st_mode) && facts.st_size <= kIgnoreFileBytesMax;
      std::string text(is_file ? static_cast<size_t>(facts.st_size) : 0, '\0');
      const ssize_t size = is_file ? pread(file.get(), text.data(), text.size(), 0) : -1;
      if (size < 0) {
        return CannotRead(absl::StrCat(below, below.empty() ? "" : "/", name),
                          is_file || !file.is_open() ? errno : EINVAL);
      }
      rules.emplace_back(absl::string_view(text).substr(0, static_cast<size_t>(size)));
    }
    return absl::OkStatus();
  }

  // The rules of the nearest folder count first, there the later file.
  bool IsIgnored(const std::string& path, bool is_folder) const {
    std::string folder = path;
    while (!folder.empty()) {
      const size_t slash = folder.rfind('/');
      folder.resize(slash == std::string::npos ? 0 : slash);
      const auto rules = rules_.find(folder);
      if (rules == rules_.end()) {
        continue;
      }
      const std::string below = path.substr(folder.empty() ? 0 : folder.size() + 1);
      for (auto one = rules->second.rbegin(); one != rules->second.rend(); ++one) {
        if (const std::optional<bool> ignored = one->Decide(below, is_folder); ignored) {
          return *ignored;
        }
      }
    }
    return false;
  }

  absl::Status Add(int folder, const std::string& path, int depth) {
    const std::string name = path.substr(path.rfind('/') + 1);
    struct stat facts {};
    if (fstatat(folder, name.c_str(), &facts, AT_SYMLINK_NOFOLLOW) != 0) {
      return errno == ENOENT ? absl::OkStatus() : CannotRead(path, errno);  // it has just gone
    }
    const bool is_folder = S_ISDIR(facts.st_mode);
    if (IsIgnored(path, is_folder)) {
      return absl::OkStatus();
    }
    if (!is_folder && !S_ISREG(facts.st_mode) && !S_ISLNK(facts.st_mode)) {
      out_.skipped.push_back(path);
      return absl::OkStatus();
    }
    Share& share = shares_[path.substr(0, path.find('/'))];
    ++share.entries;
    if (out_.manifest.entries_size() == kEntriesMax) {
      too_many_ = true;
      return absl::OkStatus();
    }
    v1::WorkdirEntry& entry = *out_.manifest.add_entries();
    entry.set_path(path);
    if (S_ISLNK(facts.st_mode)) {
      return AddLink(folder, name, entry);
    }
    entry.set_mode(facts.st_mode & 0777);
    if (!is_folder) {
      entry.set_kind(v1::WorkdirEntry::KIND_FILE);
      entry.set_size(facts.st_size);
      entry.set_modified_s(std::clamp<int64_t>(facts.st_mtime, 0, kModifiedMax));
      share.bytes += facts.st_size;
      ++out_.files;
      return absl::OkStatus();
    }
    entry.set_kind(v1::WorkdirEntry::KIND_FOLDER);
    const Descriptor inside = OpenBeneath(folder, name, O_RDONLY | O_DIRECTORY);
    return inside.is_open() ? Walk(inside.get(), path, depth + 1) : CannotRead(path, errno);
  }

  static absl::Status AddLink(int folder, const std::string& name, v1::WorkdirEntry& entry) {
    std::string target(kLinkBytesMax, '\0');
    const ssize_t size = readlinkat(folder, name.c_str(), target.data(), target.size());
    if (size < 0) {
      return CannotRead(entry.path(), errno);
    }
    entry.set_kind(v1::WorkdirEntry::KIND_LINK);
    entry.set_target(target.substr(0, static_cast<size_t>(size)));
    return absl::OkStatus();
  }

  absl::Status TooLarge(const std::string& what, absl::string_view other_fix) const {
    std::vector<std::pair<std::string, Share>> largest(shares_.begin(), shares_.end());
    std::stable_sort(largest.begin(), largest.end(), [](const auto& a, const auto& b) {
      return std::pair(a.second.bytes, a.second.entries) >
             std::pair(b.second.bytes, b.second.entries);
    });
    largest.resize(std::min(largest.size(), kLargestShown));
    std::vector<std::string> why;
    for (const auto& [name, share] : largest) {
      why.push_back(absl::StrCat(
          CleanText(name), ": ", FormatSize(share.bytes),
          share.entries > 1 ? absl::StrCat(" in ", share.entries, " entries") : std::string()));
    }
    return WithDetail(
        absl::InvalidArgumentError(absl::StrCat("the folder ", CleanText(out_.path), " ", what)),
        {
            .code = "B1310",
            .why = why,
            .fix = {absl::StrCat("list what the job does not need in .berthignore", other_fix),
                    "large data belongs onto storage that the nodes have: name it by its absolute "
                    "path"}
    });
  }

  ScannedFolder& out_;
  std::map<std::string, std::vector<IgnoreRules>> rules_;  // of the folders on the way, by path
  std::map<std::string, Share> shares_;
  bool too_many_ = false;
};

absl::Status HashFile(int folder, v1::WorkdirEntry& entry) {
  const Descriptor file = OpenBeneath(folder, entry.path(), O_RDONLY);
  if (!file.is_open()) {
    return CannotRead(entry.path(), errno);
  }
  Sha256Sum sum;
  std::string piece(kWorkdirPieceBytes, '\0');
  int64_t total = 0;
  while (true) {
    const ssize_t size = read(file.get(), piece.data(), piece.size());
    if (size < 0) {
      return CannotRead(entry.path(), errno);
    }
    if (size == 0) {
      break;
    }
    sum.Add(absl::string_view(piece).substr(0, static_cast<size_t>(size)));
    total += size;
  }
  if (total != entry.size()) {
    return CannotUpload(absl::StrCat("\"", CleanText(entry.path()), "\" changes while it is read"),
                        "", "submit again when nobody writes it, or list it in .berthignore");
  }
  entry.set_sha256(sum.Finish());
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<ScannedFolder> ScanFolder(const std::string& path, int64_t size_max) {
  ScannedFolder out;
  out.path = path;
  // The folder itself may be a link of the caller's.
  const Descriptor folder(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder.is_open()) {
    return CannotUpload(
        absl::StrCat("cannot upload the folder \"", CleanText(path), "\""),
        std::generic_category().message(errno),
        "a relative --workdir is a folder of yours; one of the nodes has an absolute path");
  }
  Scan scan(out);
  RETURN_IF_ERROR(scan.Walk(folder.get(), "", 1));
  RETURN_IF_ERROR(scan.CheckSize(size_max));
  auto& entries = *out.manifest.mutable_entries();
  std::sort(
      entries.pointer_begin(), entries.pointer_end(),
      [](const v1::WorkdirEntry* a, const v1::WorkdirEntry* b) { return a->path() < b->path(); });
  for (v1::WorkdirEntry& entry : entries) {
    if (entry.kind() == v1::WorkdirEntry::KIND_FILE) {
      RETURN_IF_ERROR(HashFile(folder.get(), entry));
    }
  }
  if (const absl::Status status = CheckManifest(out.manifest, kWorkdirLimitsMost); !status.ok()) {
    const auto detail = FindDetail(status);
    return CannotUpload(status.message(),
                        detail.has_value() && !detail->why.empty() ? detail->why[0] : "",
                        "leave it out: list it in .berthignore; what the nodes have is named by "
                        "its absolute path");
  }
  return out;
}

}  // namespace berth
