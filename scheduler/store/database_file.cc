#include "scheduler/store/database_file.h"

#include <array>
#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

#include "common/credentials.h"
#include "common/status_macros.h"
#include "scheduler/store/database_checks.h"
#include "scheduler/store/file_steps.h"
#include "scheduler/store/schema.h"
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

namespace berth {
namespace {

constexpr mode_t kOwnerOnlyFolder = 0700;
constexpr mode_t kOtherPeople = 0077;
constexpr int kClusterIdBytes = 16;

absl::Status MakeFolder(const std::string& folder) {
  if (mkdir(folder.c_str(), kOwnerOnlyFolder) != 0 && errno != EEXIST) {
    return SystemError(errno, absl::StrCat("cannot create the folder \"", folder, "\""));
  }
  return absl::OkStatus();
}

// A lock on these is not to be trusted, and neither is fsync.
absl::Status CheckFileSystem(const std::string& folder) {
  constexpr std::array<int64_t, 4> kNetworkFileSystems = {NFS_SUPER_MAGIC, SMB_SUPER_MAGIC,
                                                          0xff534d42 /* CIFS */, SMB2_SUPER_MAGIC};
  struct statfs disk = {};
  if (statfs(folder.c_str(), &disk) != 0) {
    return SystemError(errno, absl::StrCat("cannot look at the folder \"", folder, "\""));
  }
  for (const int64_t kind : kNetworkFileSystems) {
    if (static_cast<int64_t>(disk.f_type) == kind) {
      return Refuse("B8207", absl::StrCat("\"", folder, "\" is on a network file system"),
                    "two schedulers could open one database there, and damage it",
                    "put data_dir on a local disk");
    }
  }
  return absl::OkStatus();
}

// Never opens the file: closing it again would drop this process's locks on it.
absl::Status CheckFile(const std::string& path, const struct stat& file) {
  const std::string name = absl::StrCat("the database \"", path, "\"");
  if (S_ISLNK(file.st_mode)) {
    return Refuse("B8202", absl::StrCat(name, " is a symbolic link"),
                  "another name for the file escapes the check against a second scheduler",
                  "set data_dir to the folder that holds the file itself");
  }
  if (!S_ISREG(file.st_mode)) {
    return Refuse("B8202", absl::StrCat(name, " is not a regular file"), "",
                  "set data_dir to a folder of berthd's own");
  }
  if ((file.st_mode & kOtherPeople) != 0) {
    return Refuse("B8201",
                  absl::StrFormat("%s may be read or written by others (mode %04o)", name,
                                  file.st_mode & 07777),
                  "it holds every tenant's jobs and the hashes of their tokens",
                  absl::StrCat("chmod 600 ", path, ", and find out who could read it"));
  }
  if (file.st_size == 0) {
    return Refuse("B8203", absl::StrCat(name, " is empty"), "a Berth database is never empty",
                  "restore the last backup; remove the file only to start a new cluster");
  }
  return absl::OkStatus();
}

absl::Status UseLog(Database& database) {
  ASSIGN_OR_RETURN(const std::string mode, database.QueryText("PRAGMA journal_mode = WAL"));
  if (mode != "wal") {
    return Refuse("B8209", "the database cannot use a write-ahead log",
                  absl::StrCat("its journal mode is ", mode), "put data_dir on a local disk");
  }
  return absl::OkStatus();
}

absl::Status FillNewFile(const std::string& path) {
  ASSIGN_OR_RETURN(const std::unique_ptr<Database> database, Database::Open(path));
  RETURN_IF_ERROR(database->Execute(absl::StrCat("PRAGMA application_id = ", kApplicationId)));
  RETURN_IF_ERROR(UseLog(*database));
  RETURN_IF_ERROR(Migrate(*database));
  RETURN_IF_ERROR(Initialize(*database, RandomHex(kClusterIdBytes)));
  RETURN_IF_ERROR(database->Checkpoint());
  return database->CheckpointOnClose();
}

// A file with a name of its own becomes the database in one step, when it is whole: a crash leaves
// either no database or a complete one. Another process that was quicker wins.
absl::Status CreateFile(const std::string& path) {
  ASSIGN_OR_RETURN(const std::string draft, MakeDraft(path));
  absl::Status status = FillNewFile(draft);
  if (status.ok()) {
    status = PublishDraft(draft, path);
  }
  unlink(draft.c_str());
  unlink(absl::StrCat(draft, "-wal").c_str());
  return absl::IsAlreadyExists(status) ? absl::OkStatus() : status;
}

absl::Status FindOrCreateFile(const std::string& path) {
  const std::string folder = FolderOf(path);
  RETURN_IF_ERROR(MakeFolder(folder));
  RETURN_IF_ERROR(CheckFileSystem(folder));
  struct stat file = {};
  if (lstat(path.c_str(), &file) == 0) {
    return CheckFile(path, file);
  }
  if (errno != ENOENT) {
    return SystemError(errno, absl::StrCat("cannot look at \"", path, "\""));
  }
  if (lstat(absl::StrCat(path, "-wal").c_str(), &file) == 0) {
    return Refuse("B8204", absl::StrCat("the database \"", path, "\" is missing"),
                  absl::StrCat("its log \"", path, "-wal\" is there, the file itself is not"),
                  "put the file back, or restore the last backup");
  }
  return CreateFile(path);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Database>> OpenDatabaseFile(const std::string& path,
                                                           bool check_later) {
  RETURN_IF_ERROR(FindOrCreateFile(path));
  ASSIGN_OR_RETURN(std::unique_ptr<Database> database, Database::Open(path));
  RETURN_IF_ERROR(CheckIdentity(*database, path));
  RETURN_IF_ERROR(UseLog(*database));
  ASSIGN_OR_RETURN(const int64_t version, FindVersion(*database));
  if (!check_later || version != SchemaVersion()) {
    RETURN_IF_ERROR(CheckSoundness(*database, path, CheckDepth::kQuick));
  }
  RETURN_IF_ERROR(Migrate(*database));
  if (!check_later) {
    RETURN_IF_ERROR(database->CheckpointOnClose());
  }
  return database;
}

}  // namespace berth
