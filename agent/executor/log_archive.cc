#include "agent/executor/log_archive.h"

#include <cerrno>
#include <filesystem>
#include <optional>
#include <system_error>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

#include "agent/executor/archived_logs.h"
#include "agent/executor/task_folder.h"
#include "agent/shim/shim_protocol.h"
#include "common/descriptor.h"
#include "common/status_macros.h"
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace berth {
namespace {

namespace fs = std::filesystem;

constexpr char kLogPrefix[] = "rank-";
constexpr size_t kArchivePieceBytes = 256 << 10;

std::string MarksPath(absl::string_view data_dir) {
  return absl::StrCat(data_dir, "/unarchived");
}

std::string MarkName(const UnarchivedLogs& logs) {
  return absl::StrCat(logs.job, ".", logs.attempt, ".", logs.allocation_id);
}

std::string MarkPath(absl::string_view data_dir, const UnarchivedLogs& logs) {
  return absl::StrCat(MarksPath(data_dir), "/", MarkName(logs));
}

absl::Status CannotArchive(absl::string_view what) {
  return absl::ErrnoToStatus(errno, absl::StrCat("cannot ", what));
}

// What a mark says.
struct Reader {
  std::string tenant;
  int64_t group_id = -1;
};

absl::StatusOr<Reader> ReadMark(const std::string& path) {
  const auto text = ReadFileAt(AT_FDCWD, path.c_str());
  if (!text.has_value()) {
    return CannotArchive(absl::StrCat("read ", path));
  }
  const std::vector<std::string> words = absl::StrSplit(absl::StripSuffix(*text, "\n"), ' ');
  Reader reader;
  if (words.size() != 2 || words[0].empty() || absl::StartsWith(words[0], ".") ||
      absl::StrContains(words[0], '/') || !absl::SimpleAtoi(words[1], &reader.group_id)) {
    // A crash of the node left a part of it. It would be in the way for ever.
    unlink(path.c_str());
    return absl::DataLossError(absl::StrCat(path, " is no mark of an attempt's logs"));
  }
  reader.tenant = words[0];
  return reader;
}

// Below `parent`, made if need be; never a link.
absl::StatusOr<Descriptor> EnterFolder(const Descriptor& parent, const std::string& name) {
  const bool is_new = mkdirat(parent.get(), name.c_str(), 0711) == 0;
  if (!is_new && errno != EEXIST) {
    return CannotArchive(absl::StrCat("make the folder ", name, " in the archive"));
  }
  Descriptor folder(
      openat(parent.get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
  if (!folder.is_open()) {
    return CannotArchive(absl::StrCat("enter the folder ", name, " of the archive"));
  }
  if (is_new) {
    fchmod(folder.get(), 0711);  // whatever the agent's umask is: readers pass through
  }
  return folder;
}

// Where the file system lets nobody be the group's, as one that maps root to somebody else, only
// its owner reads it.
void GiveToGroup(const Descriptor& file, int64_t group_id, mode_t owner_mode, mode_t group_mode) {
  const bool given = group_id >= 0 &&
                     fchown(file.get(), static_cast<uid_t>(-1), static_cast<gid_t>(group_id)) == 0;
  fchmod(file.get(), given ? owner_mode | group_mode : owner_mode);
}

absl::Status CopyBytes(const Descriptor& source, const Descriptor& target, const std::string& name,
                       const std::atomic<bool>& stop) {
  std::string piece(kArchivePieceBytes, '\0');
  while (!stop) {
    const ssize_t size = read(source.get(), piece.data(), piece.size());
    if (size < 0) {
      return CannotArchive(absl::StrCat("read ", name));
    }
    if (size == 0) {
      return fsync(target.get()) == 0
                 ? absl::OkStatus()
                 : CannotArchive(absl::StrCat("force ", name, " of the archive to its disk"));
    }
    if (!WriteWhole(target.get(), piece.data(), static_cast<size_t>(size))) {
      return CannotArchive(absl::StrCat("write ", name, " into the archive"));
    }
  }
  return absl::CancelledError("the agent stops");
}

absl::Status CopyLog(int source_folder, const Descriptor& target_folder, const std::string& name,
                     int64_t group_id, const std::atomic<bool>& stop) {
  const Descriptor source(openat(source_folder, name.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!source.is_open()) {
    return CannotArchive(absl::StrCat("read ", name));
  }
  const std::string part = absl::StrCat(".", name, ".part");
  unlinkat(target_folder.get(), part.c_str(), 0);  // of a copy that broke off
  const Descriptor target(openat(target_folder.get(), part.c_str(),
                                 O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!target.is_open()) {
    return CannotArchive(absl::StrCat("make ", name, " in the archive"));
  }
  absl::Status status = CopyBytes(source, target, name, stop);
  if (status.ok()) {
    GiveToGroup(target, group_id, 0600, 0040);
    if (renameat(target_folder.get(), part.c_str(), target_folder.get(), name.c_str()) != 0) {
      status = CannotArchive(absl::StrCat("name ", name, " in the archive"));
    }
  }
  if (!status.ok()) {
    unlinkat(target_folder.get(), part.c_str(), 0);
  }
  return status;
}

absl::StatusOr<Descriptor> OpenArchive(const std::string& log_dir) {
  // The operator's own folder may be a link.
  Descriptor archive(open(log_dir.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!archive.is_open()) {
    return CannotArchive(absl::StrCat("enter ", log_dir));
  }
  return archive;
}

// Returns the names of what it has copied.
absl::StatusOr<std::vector<std::string>> CopyLogs(const TaskFolder& source,
                                                  const std::string& log_dir,
                                                  const UnarchivedLogs& logs, const Reader& reader,
                                                  const std::atomic<bool>& stop) {
  ASSIGN_OR_RETURN(Descriptor folder, OpenArchive(log_dir));
  for (const std::string& name :
       {reader.tenant, absl::StrCat(logs.job), absl::StrCat(logs.attempt)}) {
    ASSIGN_OR_RETURN(folder, EnterFolder(folder, name));
  }
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator entry(source.path(), error), end; !error && entry != end;
       entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    std::error_code gone;
    if (absl::StartsWith(name, kLogPrefix) && fs::is_regular_file(entry->symlink_status(gone))) {
      RETURN_IF_ERROR(CopyLog(source.descriptor(), folder, name, reader.group_id, stop));
      names.push_back(name);
    }
  }
  if (error) {
    return absl::UnavailableError(absl::StrCat("cannot list ", source.path()));
  }
  GiveToGroup(folder, reader.group_id, 0700, 0050);
  if (fsync(folder.get()) != 0) {
    return CannotArchive("force the archive to its disk");
  }
  return names;
}

}  // namespace

absl::Status MarkUnarchived(absl::string_view data_dir, const UnarchivedLogs& logs,
                            absl::string_view tenant, int64_t group_id) {
  const std::string folder = MarksPath(data_dir);
  if (mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) {
    return CannotArchive(absl::StrCat("make ", folder));
  }
  const std::string path = MarkPath(data_dir, logs);
  const std::string text = absl::StrCat(tenant, " ", group_id, "\n");
  const Descriptor mark(
      open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
  return mark.is_open() && WriteWhole(mark.get(), text.data(), text.size())
             ? absl::OkStatus()
             : CannotArchive(absl::StrCat("write ", path));
}

std::vector<UnarchivedLogs> ListUnarchived(absl::string_view data_dir) {
  std::vector<UnarchivedLogs> list;
  std::error_code error;
  for (fs::directory_iterator mark(MarksPath(data_dir), error), end; !error && mark != end;
       mark.increment(error)) {
    const std::vector<std::string> parts = absl::StrSplit(mark->path().filename().string(), '.');
    UnarchivedLogs logs;
    if (parts.size() == 3 && absl::SimpleAtoi(parts[0], &logs.job) &&
        absl::SimpleAtoi(parts[1], &logs.attempt) &&
        absl::SimpleAtoi(parts[2], &logs.allocation_id)) {
      list.push_back(logs);
    }
  }
  return list;
}

void ForgetUnarchived(absl::string_view data_dir) {
  std::error_code ignored;
  fs::remove_all(MarksPath(data_dir), ignored);
}

absl::Status CheckArchive(const std::string& log_dir) {
  ASSIGN_OR_RETURN(const Descriptor archive, OpenArchive(log_dir));
  return faccessat(archive.get(), ".", W_OK | X_OK, AT_EACCESS) == 0
             ? absl::OkStatus()
             : CannotArchive(absl::StrCat("write ", log_dir));
}

absl::Status ArchiveLogs(const std::string& data_dir, const std::string& log_dir,
                         const UnarchivedLogs& logs, bool records, const std::atomic<bool>& stop) {
  const std::string mark = MarkPath(data_dir, logs);
  ASSIGN_OR_RETURN(const Reader reader, ReadMark(mark));
  const auto source = TaskFolder::Open(data_dir, logs.job, logs.attempt);
  if (source.ok()) {
    ASSIGN_OR_RETURN(const std::vector<std::string> names,
                     CopyLogs(*source, log_dir, logs, reader, stop));
    if (records) {
      RETURN_IF_ERROR(RecordArchived(data_dir, MarkName(logs),
                                     absl::StrCat(reader.tenant, "/", logs.job, "/", logs.attempt),
                                     names));
    }
  } else if (!absl::IsNotFound(source.status())) {
    return source.status();
  }
  return unlink(mark.c_str()) == 0 ? absl::OkStatus()
                                   : CannotArchive(absl::StrCat("remove ", mark));
}

absl::StatusOr<std::string> FindArchivedLogs(const std::string& log_dir, uint64_t job,
                                             int attempt) {
  std::error_code error;
  for (fs::directory_iterator tenant(log_dir, error), end; !error && tenant != end;
       tenant.increment(error)) {
    const std::string folder = absl::StrCat(tenant->path().string(), "/", job, "/", attempt);
    std::error_code none;
    if (!fs::is_symlink(tenant->symlink_status(none)) && fs::is_directory(folder, none)) {
      return folder;
    }
  }
  return absl::NotFoundError("the archive has no logs of this attempt");
}

}  // namespace berth
