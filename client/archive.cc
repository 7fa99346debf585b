#include "client/archive.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

#include "client/archive_header.h"
#include "client/text.h"
#include "common/error_detail.h"
#include "common/status_macros.h"
#include "common/workdir_manifest.h"
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace berth {
namespace {

constexpr size_t kNameBytes = 100;  // in a header; longer ones have an entry of their own
constexpr size_t kPathBytesMax = 4096;
constexpr size_t kPieceBytes = 64 << 10;
constexpr int kDepthMax = 200;

absl::Status Refused(const std::string& name, absl::string_view why) {
  return MakeError(
      absl::StatusCode::kFailedPrecondition,
      {.code = "B1307",
       .message = absl::StrCat("\"", CleanText(name), "\" from the job is refused"),
       .why = why,
       .fix = "what came before it is there; nothing outside of the target is touched"});
}

absl::Status Broken(absl::string_view why) {
  return MakeError(absl::StatusCode::kDataLoss, {.code = "B1307",
                                                 .message = "the job's files did not arrive whole",
                                                 .why = why,
                                                 .fix = "is there a `tar` in the job?"});
}

absl::Status CannotCopy(const std::string& path) {
  const int error = errno;
  const std::string why = std::generic_category().message(error);
  return MakeError(
      error == ENOENT ? absl::StatusCode::kNotFound : absl::StatusCode::kFailedPrecondition,
      {.code = "B1308",
       .message = absl::StrCat("cannot copy \"", CleanText(path), "\""),
       .why = why,
       .fix = ""});
}

int64_t PaddingOf(int64_t size) {
  constexpr auto kBlock = static_cast<int64_t>(kArchiveBlock);
  return (kBlock - size % kBlock) % kBlock;
}

// Whether a link at `path` below `root` stays below it: as text, since the archive made what it
// leads through.
bool StaysInside(const std::string& root, const std::string& path, const std::string& link) {
  if (link.empty() || absl::StartsWith(link, "/")) {
    return false;
  }
  const std::vector<std::string> above =
      absl::StrSplit(path.substr(std::min(path.size(), root.size())), '/', absl::SkipEmpty());
  auto depth = static_cast<int64_t>(above.size()) - 1;
  for (const absl::string_view part : absl::StrSplit(link, '/', absl::SkipEmpty())) {
    depth += part == ".." ? -1 : (part == "." ? 0 : 1);
    if (depth < 0) {
      return false;
    }
  }
  return true;
}

class Packer {
 public:
  Packer(const std::function<bool(const std::string&)>& write, std::vector<std::string>& skipped)
      : write_(write), skipped_(skipped) {}

  absl::Status Add(const std::string& path, const std::string& name, int depth) {
    struct stat facts {};
    if (lstat(path.c_str(), &facts) != 0) {
      return CannotCopy(path);
    }
    ArchiveHeader header{.name = name};
    header.mode = static_cast<int>(facts.st_mode & 0777);
    header.modified_s = facts.st_mtime;
    if (S_ISDIR(facts.st_mode) && depth < kDepthMax) {
      return AddFolder(path, std::move(header), depth);
    }
    if (S_ISREG(facts.st_mode)) {
      return AddFile(path, std::move(header));
    }
    if (S_ISLNK(facts.st_mode)) {
      std::string target(kPathBytesMax, '\0');
      const ssize_t size = readlink(path.c_str(), target.data(), target.size());
      header.link = target.substr(0, static_cast<size_t>(std::max<ssize_t>(size, 0)));
      header.type = kArchiveLink;
      return size < 0 ? CannotCopy(path) : Head(header);
    }
    skipped_.push_back(path);
    return absl::OkStatus();
  }

  absl::Status End() { return Put(std::string(2 * kArchiveBlock, '\0')); }

 private:
  absl::Status AddFolder(const std::string& path, ArchiveHeader header, int depth) {
    const std::string name = header.name;
    header.name += "/";
    header.type = kArchiveFolder;
    RETURN_IF_ERROR(Head(header));
    DIR* const folder = opendir(path.c_str());
    if (folder == nullptr) {
      return CannotCopy(path);
    }
    std::vector<std::string> entries;
    while (const dirent* entry = readdir(folder)) {
      entries.emplace_back(entry->d_name);
    }
    closedir(folder);
    std::sort(entries.begin(), entries.end());
    for (const std::string& entry : entries) {
      if (entry != "." && entry != "..") {
        RETURN_IF_ERROR(
            Add(absl::StrCat(path, "/", entry), absl::StrCat(name, "/", entry), depth + 1));
      }
    }
    return absl::OkStatus();
  }

  absl::Status AddFile(const std::string& path, ArchiveHeader header) {
    const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    struct stat facts {};
    if (file < 0 || fstat(file, &facts) != 0) {
      const absl::Status status = CannotCopy(path);
      close(file);
      return status;
    }
    header.size = facts.st_size;
    absl::Status status = Head(header);
    for (int64_t left = header.size; status.ok() && left > 0;) {
      std::string piece(static_cast<size_t>(std::min<int64_t>(left, kPieceBytes)), '\0');
      const ssize_t size = read(file, piece.data(), piece.size());
      if (size <= 0) {
        errno = size == 0 ? EIO : errno;  // it became shorter meanwhile
        status = CannotCopy(path);
        break;
      }
      piece.resize(static_cast<size_t>(size));
      left -= size;
      status = Put(piece);
    }
    close(file);
    RETURN_IF_ERROR(status);
    return Put(std::string(static_cast<size_t>(PaddingOf(header.size)), '\0'));
  }

  absl::Status Head(ArchiveHeader header) {
    RETURN_IF_ERROR(PutLong(kArchiveLongName, header.name));
    RETURN_IF_ERROR(PutLong(kArchiveLongLink, header.link));
    header.name.resize(std::min(header.name.size(), kNameBytes));
    header.link.resize(std::min(header.link.size(), kNameBytes));
    return Put(EncodeArchiveHeader(header));
  }

  absl::Status PutLong(char type, const std::string& text) {
    if (text.size() <= kNameBytes) {
      return absl::OkStatus();
    }
    const auto size = static_cast<int64_t>(text.size()) + 1;
    const ArchiveHeader header{.name = "././@LongLink",
                               .link = "",
                               .size = size,
                               .modified_s = 0,
                               .mode = 0,
                               .type = type};
    return Put(EncodeArchiveHeader(header) + text +
               std::string(static_cast<size_t>(1 + PaddingOf(size)), '\0'));
  }

  absl::Status Put(const std::string& bytes) {
    return bytes.empty() || write_(bytes)
               ? absl::OkStatus()
               : absl::CancelledError("the job takes no more of the files");
  }

  const std::function<bool(const std::string&)>& write_;
  std::vector<std::string>& skipped_;
};

}  // namespace

absl::Status WriteArchive(const std::string& path, const std::string& name,
                          const std::function<bool(const std::string&)>& write,
                          std::vector<std::string>& skipped) {
  Packer packer(write, skipped);
  RETURN_IF_ERROR(packer.Add(path, name, 0));
  return packer.End();
}

ArchiveReader::~ArchiveReader() {
  if (file_ >= 0) {
    close(file_);
  }
}

absl::Status ArchiveReader::Take(absl::string_view bytes) {
  while (status_.ok() && !bytes.empty() && zero_blocks_ < 2) {
    size_t used = 0;
    if (type_ == 0) {
      used = std::min(kArchiveBlock - header_.size(), bytes.size());
      header_.append(bytes.data(), used);
      if (header_.size() == kArchiveBlock) {
        status_ = TakeHeader();
        header_.clear();
      }
    } else if (left_ > 0) {
      used = static_cast<size_t>(std::min<int64_t>(left_, static_cast<int64_t>(bytes.size())));
      left_ -= static_cast<int64_t>(used);
      status_ = TakeData(bytes.substr(0, used));
    } else {
      used = static_cast<size_t>(std::min<int64_t>(padding_, static_cast<int64_t>(bytes.size())));
      padding_ -= static_cast<int64_t>(used);
    }
    bytes.remove_prefix(used);
    if (status_.ok() && type_ != 0 && left_ == 0 && padding_ == 0) {
      status_ = EndEntry();
    }
  }
  return status_;
}

absl::Status ArchiveReader::Finish() {
  RETURN_IF_ERROR(status_);
  if (zero_blocks_ == 0 || type_ != 0) {
    return Broken("the stream broke off");
  }
  return entries_ > 0 ? absl::OkStatus() : Broken("there is nothing in it");
}

absl::Status ArchiveReader::TakeHeader() {
  if (header_.find_first_not_of('\0') == std::string::npos) {
    ++zero_blocks_;
    return absl::OkStatus();
  }
  const auto header = DecodeArchiveHeader(header_);
  if (!header.has_value()) {
    return Broken("it is no tar stream");
  }
  left_ = header->size;
  padding_ = PaddingOf(left_);
  type_ = header->type;
  if (type_ == kArchiveLongName || type_ == kArchiveLongLink) {
    long_text_.clear();
    return left_ > 0 && left_ <= static_cast<int64_t>(kPathBytesMax)
               ? absl::OkStatus()
               : Refused("a name", "it is too long");
  }
  name_ = long_name_.empty() ? header->name : std::exchange(long_name_, "");
  const std::string link = long_link_.empty() ? header->link : std::exchange(long_link_, "");
  if (type_ != kArchiveFile && left_ > 0) {
    return Refused(name_, "only a file has content");
  }
  ++entries_;
  modified_s_ = std::clamp<int64_t>(header->modified_s, 0, kModifiedMax);
  RETURN_IF_ERROR(BeginEntry(type_, header->mode, link));
  return left_ == 0 ? EndEntry() : absl::OkStatus();
}

absl::StatusOr<std::string> ArchiveReader::PathOf(const std::string& name) {
  if (name.size() > kPathBytesMax || absl::StartsWith(name, "/")) {
    return Refused(name, "its name is absolute, or too long");
  }
  std::vector<std::string> parts;
  for (const absl::string_view part : absl::StrSplit(name, '/', absl::SkipEmpty())) {
    if (part == "..") {
      return Refused(name, "its name leads out of the target");
    }
    if (part != ".") {
      parts.emplace_back(part);
    }
  }
  if (top_ != ".") {
    if (parts.empty() || parts[0] != top_) {
      return Refused(name, "it was not asked for");
    }
    parts.erase(parts.begin());
  }
  return parts.empty() ? target_ : absl::StrCat(target_, "/", absl::StrJoin(parts, "/"));
}

// Every folder between the target and the entry must be one: a link among them could lead anywhere.
absl::Status ArchiveReader::MakeParents(const std::string& path) {
  for (size_t slash = path.find('/', target_.size()); slash != std::string::npos;
       slash = path.find('/', slash + 1)) {
    const std::string parent = path.substr(0, slash);
    struct stat facts {};
    if (mkdir(parent.c_str(), 0755) != 0 && errno != EEXIST) {
      return CannotCopy(parent);
    }
    if (lstat(parent.c_str(), &facts) != 0 || !S_ISDIR(facts.st_mode)) {
      return Refused(name_, "a link stands in its way");
    }
  }
  return absl::OkStatus();
}

absl::Status ArchiveReader::BeginEntry(char type, int mode, const std::string& link) {
  ASSIGN_OR_RETURN(const std::string path, PathOf(name_));
  RETURN_IF_ERROR(MakeParents(path));
  switch (type) {
    case kArchiveFolder: {
      struct stat facts {};
      if (mkdir(path.c_str(), static_cast<mode_t>(mode | 0700)) != 0 && errno != EEXIST) {
        return CannotCopy(path);
      }
      // The target itself may be a link of the caller's.
      const bool is_folder =
          (path == target_ ? stat(path.c_str(), &facts) : lstat(path.c_str(), &facts)) == 0 &&
          S_ISDIR(facts.st_mode);
      return is_folder ? absl::OkStatus() : Refused(name_, "it would replace something else");
    }
    case kArchiveFile:
      return BeginFile(path, mode);
    case kArchiveLink:
      if (!StaysInside(target_, path, link)) {
        return Refused(name_, absl::StrCat("it is a link to ", CleanText(link),
                                           ", which leads out of the target"));
      }
      unlink(path.c_str());
      return symlink(link.c_str(), path.c_str()) == 0 ? absl::OkStatus() : CannotCopy(path);
    default:
      return Refused(name_, "it is neither a file, nor a folder, nor a symbolic link");
  }
}

// Made anew: what is there may be a link.
absl::Status ArchiveReader::BeginFile(const std::string& path, int mode) {
  unlink(path.c_str());
  file_ = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
               static_cast<mode_t>(mode | 0200));
  return file_ >= 0 ? absl::OkStatus() : CannotCopy(path);
}

absl::Status ArchiveReader::TakeData(absl::string_view data) {
  if (type_ != kArchiveFile) {
    long_text_.append(data.data(), data.size());
    return absl::OkStatus();
  }
  while (!data.empty()) {
    const ssize_t size = write(file_, data.data(), data.size());
    if (size < 0) {
      return CannotCopy(name_);
    }
    data.remove_prefix(static_cast<size_t>(size));
  }
  return absl::OkStatus();
}

absl::Status ArchiveReader::EndEntry() {
  const char type = std::exchange(type_, 0);
  if (type == kArchiveLongName || type == kArchiveLongLink) {
    std::string& text = type == kArchiveLongName ? long_name_ : long_link_;
    text = long_text_.substr(0, long_text_.find('\0'));
    return absl::OkStatus();
  }
  if (type != kArchiveFile) {
    return absl::OkStatus();
  }
  if (modified_s_ > 0) {
    // A disk that knows no such time keeps its own.
    const timespec times[2] = {
        {0,           UTIME_OMIT},
        {modified_s_, 0         }
    };
    futimens(file_, times);
  }
  return close(std::exchange(file_, -1)) == 0 ? absl::OkStatus() : CannotCopy(name_);
}

}  // namespace berth
