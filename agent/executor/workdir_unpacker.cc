#include "agent/executor/workdir_unpacker.h"

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

#include "common/credentials.h"
#include "common/status_macros.h"
#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace berth {
namespace {

constexpr size_t kCopyBytes = 64 << 10;

absl::Status CannotMake(absl::string_view path) {
  return absl::ErrnoToStatus(
      errno, absl::StrCat("cannot make \"", absl::CHexEscape(path), "\" of the uploaded folder"));
}

absl::Status NotWhole(absl::string_view what) {
  return absl::DataLossError(absl::StrCat("the uploaded folder did not arrive whole: ", what));
}

// Below the folder and through no link, whatever anybody puts in its way meanwhile.
Descriptor OpenBelow(int folder, const std::string& path, uint64_t flags, uint64_t mode) {
  open_how how{};
  how.flags = flags | O_CLOEXEC | O_NOFOLLOW;
  how.mode = mode;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV;
  return Descriptor(
      static_cast<int>(syscall(SYS_openat2, folder, path.c_str(), &how, sizeof(how))));
}

struct SplitPath {
  std::string parent;  // "." for the folder itself
  std::string name;
};

SplitPath Split(const std::string& path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string::npos) {
    return {".", path};
  }
  return {path.substr(0, slash), path.substr(slash + 1)};
}

Descriptor OpenParent(int folder, const SplitPath& path) {
  return OpenBelow(folder, path.parent, O_PATH | O_DIRECTORY, 0);
}

absl::Status WriteAll(int file, absl::string_view data, absl::string_view path) {
  return WriteWhole(file, data.data(), data.size()) ? absl::OkStatus() : CannotMake(path);
}

// Once nobody writes to it any more. What a client whose clock is ahead calls later than now would
// look new to every `make`. A disk that knows no such time keeps its own: no task is refused for
// that.
void SetModified(int file, const v1::WorkdirEntry& entry) {
  if (entry.modified_s() == 0) {
    return;
  }
  const timespec times[2] = {
      {0,                    UTIME_OMIT},
      { std::min<time_t>(entry.modified_s(), std::time(nullptr)),          0}
  };
  futimens(file, times);
}

// With the permissions of the entry, whatever the umask is.
absl::StatusOr<Descriptor> MakeFile(int folder, const v1::WorkdirEntry& entry) {
  Descriptor file = OpenBelow(folder, entry.path(), O_RDWR | O_CREAT | O_EXCL, 0600);
  if (!file.is_open() || fchmod(file.get(), static_cast<mode_t>(entry.mode())) != 0) {
    return CannotMake(entry.path());
  }
  return file;
}

}  // namespace

ActAsOwner::ActAsOwner(const TaskOwner& owner) : owner_(owner) {
  if (owner.user_id >= 0) {
    group_before_ = setfsgid(static_cast<gid_t>(owner.group_id));
    user_before_ = setfsuid(static_cast<uid_t>(owner.user_id));
  }
}

ActAsOwner::~ActAsOwner() {
  if (owner_.user_id >= 0) {
    setfsuid(static_cast<uid_t>(user_before_));
    setfsgid(static_cast<gid_t>(group_before_));
  }
}

absl::Status ActAsOwner::status() const {
  // An impossible number changes nothing, and tells what is.
  const bool is_owner =
      owner_.user_id < 0 || (setfsuid(static_cast<uid_t>(-1)) == static_cast<int>(owner_.user_id) &&
                             setfsgid(static_cast<gid_t>(-1)) == static_cast<int>(owner_.group_id));
  return is_owner ? absl::OkStatus()
                  : absl::PermissionDeniedError("the agent cannot make files of the task's user");
}

namespace {

absl::Status RemoveAllIn(int folder) {
  const int again = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR* const entries = again < 0 ? nullptr : fdopendir(again);
  if (entries == nullptr) {
    return absl::ErrnoToStatus(errno, "cannot read the task's folder");
  }
  absl::Status status;
  while (const dirent* entry = readdir(entries)) {
    const std::string name = entry->d_name;
    if (name == "." || name == ".." || unlinkat(folder, name.c_str(), 0) == 0) {
      continue;
    }
    const Descriptor below = OpenBelow(folder, name, O_RDONLY | O_DIRECTORY, 0);
    if (!below.is_open() || !RemoveAllIn(below.get()).ok() ||
        unlinkat(folder, name.c_str(), AT_REMOVEDIR) != 0) {
      status = absl::ErrnoToStatus(errno, "cannot empty the task's folder");
    }
  }
  closedir(entries);
  return status;
}

}  // namespace

absl::Status EmptyFolder(const WorkdirOrder& order) {
  const ActAsOwner act(order.owner);
  RETURN_IF_ERROR(act.status());
  return RemoveAllIn(order.folder.get());
}

absl::Status WorkdirUnpacker::Begin(int64_t manifest_bytes, const KeptContents* kept) {
  if (manifest_left_ != -1 || manifest_bytes < 0 || manifest_bytes > kManifestBytesMax) {
    return absl::InvalidArgumentError("no uploaded folder has such a manifest");
  }
  manifest_left_ = manifest_bytes;
  kept_ = kept;
  return manifest_left_ == 0 ? TakeManifest() : absl::OkStatus();
}

absl::Status WorkdirUnpacker::Take(absl::string_view data) {
  const ActAsOwner act(order_.owner);
  RETURN_IF_ERROR(act.status());
  return TakePiece(data);
}

absl::Status WorkdirUnpacker::TakePiece(absl::string_view data) {
  if (manifest_left_ > 0) {
    const absl::string_view part = data.substr(0, static_cast<size_t>(manifest_left_));
    manifest_text_.append(part.data(), part.size());
    if (copy_) {
      copy_(part);
    }
    manifest_left_ -= static_cast<int64_t>(part.size());
    data.remove_prefix(part.size());
    if (manifest_left_ > 0) {
      return absl::OkStatus();
    }
    RETURN_IF_ERROR(TakeManifest());
  }
  while (!data.empty()) {
    if (manifest_left_ != 0 || at_ == contents_.size()) {
      return NotWhole("more came than its manifest says");
    }
    const absl::string_view part =
        data.substr(0, static_cast<size_t>(std::min<int64_t>(left_, kWorkdirPieceBytesMax)));
    RETURN_IF_ERROR(TakeContent(part));
    data.remove_prefix(part.size());
  }
  return absl::OkStatus();
}

absl::Status WorkdirUnpacker::TakeManifest() {
  if (Sha256(manifest_text_) != order_.sha256) {
    return NotWhole("its manifest is another one");
  }
  ASSIGN_OR_RETURN(manifest_, ReadManifest(manifest_text_, kWorkdirLimitsMost));
  contents_ = DistinctContents(manifest_);
  size_t next = 0;
  for (int i = 0; i < manifest_.entries_size(); ++i) {
    if (next < contents_.size() && contents_[next] == i) {
      ++next;
    } else if (manifest_.entries(i).kind() == v1::WorkdirEntry::KIND_FILE) {
      copies_[manifest_.entries(i).sha256()].push_back(i);
    }
  }
  RETURN_IF_ERROR(MakeFolders());
  return NextContent();
}

absl::Status WorkdirUnpacker::MakeFolders() {
  for (const v1::WorkdirEntry& entry : manifest_.entries()) {
    if (entry.kind() != v1::WorkdirEntry::KIND_FOLDER) {
      continue;
    }
    const SplitPath path = Split(entry.path());
    const Descriptor parent = OpenParent(order_.folder.get(), path);
    if (!parent.is_open() || mkdirat(parent.get(), path.name.c_str(), 0700) != 0) {
      return CannotMake(entry.path());
    }
  }
  return absl::OkStatus();
}

absl::Status WorkdirUnpacker::NextContent() {
  for (; at_ < contents_.size(); ++at_) {
    const v1::WorkdirEntry& entry = manifest_.entries(contents_[at_]);
    ASSIGN_OR_RETURN(file_, MakeFile(order_.folder.get(), entry));
    left_ = entry.size();
    sum_ = Sha256Sum();
    if (left_ > 0 && kept_ != nullptr && kept_->Has(entry.sha256())) {
      RETURN_IF_ERROR(
          kept_->Read(entry.sha256(), [this](absl::string_view data) { return AddBytes(data); }));
    }
    if (left_ > 0) {
      return absl::OkStatus();
    }
    RETURN_IF_ERROR(EndContent());
  }
  return absl::OkStatus();
}

absl::Status WorkdirUnpacker::TakeContent(absl::string_view data) {
  RETURN_IF_ERROR(AddBytes(data));
  if (left_ > 0) {
    return absl::OkStatus();
  }
  RETURN_IF_ERROR(EndContent());
  ++at_;
  return NextContent();
}

absl::Status WorkdirUnpacker::AddBytes(absl::string_view data) {
  RETURN_IF_ERROR(WriteAll(file_.get(), data, manifest_.entries(contents_[at_]).path()));
  sum_.Add(data);
  left_ -= static_cast<int64_t>(data.size());
  if (copy_) {
    copy_(data);
  }
  return absl::OkStatus();
}

absl::Status WorkdirUnpacker::EndContent() {
  const v1::WorkdirEntry& entry = manifest_.entries(contents_[at_]);
  if (sum_.Finish() != entry.sha256()) {
    return NotWhole(absl::StrCat("\"", absl::CHexEscape(entry.path()), "\" has another content"));
  }
  if (const auto copies = copies_.find(entry.sha256()); copies != copies_.end()) {
    for (const int copy : copies->second) {
      RETURN_IF_ERROR(CopyContent(manifest_.entries(copy)));
    }
  }
  SetModified(file_.get(), entry);
  file_.Close();
  return absl::OkStatus();
}

absl::Status WorkdirUnpacker::CopyContent(const v1::WorkdirEntry& entry) const {
  ASSIGN_OR_RETURN(const Descriptor copy, MakeFile(order_.folder.get(), entry));
  std::string piece(kCopyBytes, '\0');
  for (int64_t done = 0; done < entry.size();) {
    const ssize_t size = pread(file_.get(), piece.data(), piece.size(), done);
    if (size <= 0) {
      return CannotMake(entry.path());
    }
    RETURN_IF_ERROR(WriteAll(copy.get(), absl::string_view(piece).substr(0, size), entry.path()));
    done += size;
  }
  SetModified(copy.get(), entry);
  return absl::OkStatus();
}

absl::Status WorkdirUnpacker::Finish() {
  if (manifest_left_ != 0 || at_ < contents_.size()) {
    return NotWhole("it broke off");
  }
  const ActAsOwner act(order_.owner);
  RETURN_IF_ERROR(act.status());
  RETURN_IF_ERROR(MakeLinks());
  return SetFolderModes();
}

absl::Status WorkdirUnpacker::MakeLinks() const {
  for (const v1::WorkdirEntry& entry : manifest_.entries()) {
    if (entry.kind() != v1::WorkdirEntry::KIND_LINK) {
      continue;
    }
    const SplitPath path = Split(entry.path());
    const Descriptor parent = OpenParent(order_.folder.get(), path);
    if (!parent.is_open() ||
        symlinkat(entry.target().c_str(), parent.get(), path.name.c_str()) != 0) {
      return CannotMake(entry.path());
    }
  }
  return absl::OkStatus();
}

// Its owner can always change and remove what is in a folder of the upload.
absl::Status WorkdirUnpacker::SetFolderModes() const {
  for (const v1::WorkdirEntry& entry : manifest_.entries()) {
    if (entry.kind() != v1::WorkdirEntry::KIND_FOLDER) {
      continue;
    }
    const Descriptor folder =
        OpenBelow(order_.folder.get(), entry.path(), O_RDONLY | O_DIRECTORY, 0);
    if (!folder.is_open() || fchmod(folder.get(), static_cast<mode_t>(entry.mode() | 0700)) != 0) {
      return CannotMake(entry.path());
    }
  }
  return absl::OkStatus();
}

}  // namespace berth
