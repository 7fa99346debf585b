#include "common/workdir_manifest.h"

#include <deque>
#include <map>
#include <set>
#include <string>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include <google/protobuf/io/coded_stream.h>

#include "common/error_detail.h"
#include "common/sha256_sum.h"
#include "common/status_macros.h"

namespace berth {
namespace {

constexpr size_t kPathBytesMax = 3072;  // leaves room for where the folder is
constexpr size_t kNameBytesMax = 255;
constexpr int kLinksOnAWay = 40;  // as the kernel bounds it
// Of all links together: links through links through links take no time to speak of.
constexpr int kLinkStepsMax = 500'000;
constexpr size_t kShownBytes = 200;
constexpr uint32_t kEntryTag = (1 << 3) | 2;

absl::Status Refused(absl::string_view message, absl::string_view why) {
  return MakeError(absl::StatusCode::kInvalidArgument,
                   {.code = "B1228", .message = message, .why = why, .fix = ""});
}

absl::Status RefusedEntry(absl::string_view path, absl::string_view why) {
  return Refused(absl::StrCat("\"", absl::CHexEscape(path.substr(0, kShownBytes)),
                              "\" cannot be in an uploaded folder"),
                 why);
}

using Entries = std::map<absl::string_view, const v1::WorkdirEntry*>;

// Follows one link as the kernel would, inside the manifest alone.
class LinkWalk {
 public:
  LinkWalk(const Entries& entries, int& steps_left) : entries_(entries), steps_left_(steps_left) {}

  // Null: it stays inside. Else what is wrong.
  const char* Follow(const v1::WorkdirEntry& link) {
    at_ = link.path().substr(0, link.path().rfind('/') + 1);
    at_ = at_.empty() ? at_ : at_.substr(0, at_.size() - 1);
    if (const char* wrong = Enter(link)) {
      return wrong;
    }
    while (!ahead_.empty()) {
      const absl::string_view part = ahead_.front();
      ahead_.pop_front();
      if (const char* wrong = Step(part)) {
        return wrong;
      }
    }
    return nullptr;
  }

 private:
  const char* Enter(const v1::WorkdirEntry& link) {
    if (absl::StartsWith(link.target(), "/")) {
      return "it is a link to an absolute path, which is outside of the folder";
    }
    if (++links_ > kLinksOnAWay) {
      return "it is a link that leads round in a circle";
    }
    const std::vector<absl::string_view> parts = absl::StrSplit(link.target(), '/');
    ahead_.insert(ahead_.begin(), parts.begin(), parts.end());
    return nullptr;
  }

  const char* Step(absl::string_view part) {
    if (--steps_left_ < 0) {
      return "the links of the folder lead through too many others";
    }
    if (part.empty() || part == ".") {
      return nullptr;
    }
    const size_t slash = at_.rfind('/');
    if (part == "..") {
      if (at_.empty()) {
        return "it is a link that leads out of the folder";
      }
      at_.resize(slash == std::string::npos ? 0 : slash);
      return nullptr;
    }
    const size_t before = at_.size();
    absl::StrAppend(&at_, at_.empty() ? "" : "/", part);
    const auto found = entries_.find(at_);
    if (found == entries_.end() || found->second->kind() != v1::WorkdirEntry::KIND_LINK) {
      return nullptr;
    }
    at_.resize(before);
    return Enter(*found->second);
  }

  const Entries& entries_;
  int& steps_left_;
  std::string at_;  // a path of the folder; empty: the folder itself
  std::deque<absl::string_view> ahead_;
  int links_ = 0;
};

// Null: it is one.
const char* WrongPath(absl::string_view path) {
  if (path.empty() || path.size() > kPathBytesMax) {
    return "its name is empty, or too long";
  }
  if (absl::StrContains(path, absl::string_view("\0", 1))) {
    return "its name has a zero byte";
  }
  const std::vector<absl::string_view> parts = absl::StrSplit(path, '/');
  if (parts.size() > kWorkdirDepthMax) {
    return "it lies too deep";
  }
  for (const absl::string_view part : parts) {
    if (part.empty() || part == "." || part == "..") {
      return "its name is absolute, or leads elsewhere";
    }
    if (part.size() > kNameBytesMax) {
      return "its name is too long";
    }
  }
  return nullptr;
}

// Null: it is as an entry of its kind can be.
const char* WrongForm(const v1::WorkdirEntry& entry) {
  const bool is_file = entry.kind() == v1::WorkdirEntry::KIND_FILE;
  const bool is_link = entry.kind() == v1::WorkdirEntry::KIND_LINK;
  if (!is_file && !is_link && entry.kind() != v1::WorkdirEntry::KIND_FOLDER) {
    return "it is neither a file, nor a folder, nor a symbolic link";
  }
  if ((entry.mode() & ~0777U) != 0 || (is_link && entry.mode() != 0)) {
    return "its permissions are more than 0777";
  }
  if (entry.size() < 0 || (!is_file && entry.size() != 0) ||
      entry.sha256().size() != (is_file ? kSha256Bytes : 0)) {
    return "its content is not told as it can be";
  }
  if (entry.modified_s() < 0 || entry.modified_s() > kModifiedMax ||
      (!is_file && entry.modified_s() != 0)) {
    return "when it was modified is not told as it can be";
  }
  if (is_link != !entry.target().empty() || entry.target().size() > kPathBytesMax ||
      absl::StrContains(entry.target(), absl::string_view("\0", 1))) {
    return "where it leads is not told as it can be";
  }
  return nullptr;
}

absl::Status CheckLinks(const v1::WorkdirManifest& manifest, const Entries& entries) {
  int steps_left = kLinkStepsMax;
  for (const v1::WorkdirEntry& entry : manifest.entries()) {
    if (entry.kind() != v1::WorkdirEntry::KIND_LINK) {
      continue;
    }
    if (const char* wrong = LinkWalk(entries, steps_left).Follow(entry)) {
      return RefusedEntry(entry.path(), wrong);
    }
  }
  return absl::OkStatus();
}

absl::Status CheckEntriesMax(int64_t count, const WorkdirLimits& limits) {
  return count <= limits.entries_max
             ? absl::OkStatus()
             : Refused(absl::StrCat("the folder has ", count, " files, folders and links"),
                       absl::StrCat("an upload may have ", limits.entries_max));
}

}  // namespace

absl::Status CheckManifest(const v1::WorkdirManifest& manifest, const WorkdirLimits& limits) {
  RETURN_IF_ERROR(CheckEntriesMax(manifest.entries_size(), limits));
  Entries entries;
  std::map<absl::string_view, int64_t> sizes;  // of contents
  int64_t size = 0;
  absl::string_view before;
  for (const v1::WorkdirEntry& entry : manifest.entries()) {
    const absl::string_view path = entry.path();
    const char* wrong = WrongPath(path);
    wrong = wrong == nullptr ? WrongForm(entry) : wrong;
    if (wrong != nullptr) {
      return RefusedEntry(path, wrong);
    }
    if (!entries.empty() && path <= before) {
      return RefusedEntry(path, "it is there twice, or out of order");
    }
    before = path;
    if (const size_t slash = path.rfind('/'); slash != absl::string_view::npos) {
      const auto parent = entries.find(path.substr(0, slash));
      if (parent == entries.end() || parent->second->kind() != v1::WorkdirEntry::KIND_FOLDER) {
        return RefusedEntry(path, "it does not lie in a folder of the upload");
      }
    }
    entries[path] = &entry;
    if (entry.kind() == v1::WorkdirEntry::KIND_FILE &&
        sizes.try_emplace(entry.sha256(), entry.size()).first->second != entry.size()) {
      return RefusedEntry(path, "the same content has two sizes");
    }
    // No overflow: what is added is checked first.
    if (entry.size() > limits.size_max || (size += entry.size()) > limits.size_max) {
      return Refused(absl::StrCat("the folder has more than ", limits.size_max, " bytes"),
                     "an upload may have so many");
    }
  }
  return CheckLinks(manifest, entries);
}

absl::StatusOr<v1::WorkdirManifest> ReadManifest(absl::string_view bytes,
                                                 const WorkdirLimits& limits) {
  if (static_cast<int64_t>(bytes.size()) > kManifestBytesMax) {
    return Refused(absl::StrCat("the manifest has ", bytes.size(), " bytes"),
                   absl::StrCat("it may have ", kManifestBytesMax));
  }
  const auto* data = reinterpret_cast<const uint8_t*>(bytes.data());
  const auto size = static_cast<int>(bytes.size());
  // Counted before it is parsed: an empty entry is two bytes there and many more in memory.
  google::protobuf::io::CodedInputStream stream(data, size);
  int64_t count = 0;
  while (stream.CurrentPosition() < size) {
    uint32_t length = 0;
    if (stream.ReadTag() != kEntryTag || !stream.ReadVarint32(&length) ||
        length > static_cast<uint32_t>(size) || !stream.Skip(static_cast<int>(length))) {
      return Refused("what was sent is no manifest", "");
    }
    ++count;
  }
  RETURN_IF_ERROR(CheckEntriesMax(count, limits));
  v1::WorkdirManifest manifest;
  if (!manifest.ParseFromArray(data, size)) {
    return Refused("what was sent is no manifest", "");
  }
  RETURN_IF_ERROR(CheckManifest(manifest, limits));
  return manifest;
}

std::vector<int> DistinctContents(const v1::WorkdirManifest& manifest) {
  std::vector<int> first;
  std::set<absl::string_view> seen;
  for (int i = 0; i < manifest.entries_size(); ++i) {
    const v1::WorkdirEntry& entry = manifest.entries(i);
    if (entry.kind() == v1::WorkdirEntry::KIND_FILE && seen.insert(entry.sha256()).second) {
      first.push_back(i);
    }
  }
  return first;
}

}  // namespace berth
