#include "scheduler/store/backup.h"

#include <cerrno>
#include <memory>

#include "absl/strings/str_cat.h"

#include "common/status_macros.h"
#include "scheduler/store/audit_log.h"
#include "scheduler/store/cluster_record.h"
#include "scheduler/store/database.h"
#include "scheduler/store/database_checks.h"
#include "scheduler/store/file_steps.h"
#include "scheduler/store/schema.h"
#include <sys/stat.h>
#include <unistd.h>

namespace berth {
namespace {

absl::Status CheckRegularFile(const std::string& path) {
  struct stat file = {};
  if (stat(path.c_str(), &file) != 0) {
    return SystemError(errno, absl::StrCat("cannot read the backup \"", path, "\""));
  }
  if (!S_ISREG(file.st_mode) || file.st_size == 0) {
    return Refuse("B8213", absl::StrCat("\"", path, "\" is no backup"),
                  "it is empty or not a regular file",
                  "name a file of `berth admin backup create`");
  }
  if (stat(absl::StrCat(path, "-wal").c_str(), &file) == 0 && file.st_size > 0) {
    return Refuse("B8213", absl::StrCat("\"", path, "\" is no backup"),
                  "it has a log beside it: it is the database of a scheduler",
                  "make one with `berth admin backup create`");
  }
  return absl::OkStatus();
}

absl::StatusOr<BackupFacts> CheckContent(Database& database, const std::string& path) {
  RETURN_IF_ERROR(CheckIdentity(database, path));
  RETURN_IF_ERROR(CheckSoundness(database, path, CheckDepth::kFull));
  BackupFacts facts;
  ASSIGN_OR_RETURN(facts.schema_version, FindVersion(database));
  // Older versions hold the same facts elsewhere: a restore migrates first and looks then.
  if (facts.schema_version != SchemaVersion()) {
    return facts;
  }
  ASSIGN_OR_RETURN(const ClusterRecord record, ReadClusterRecord(database));
  RETURN_IF_ERROR(VerifyAuditChain(database, {.start = EmptyAuditChain(record.cluster_id),
                                              .recorded = record.marks.audit,
                                              .head = record.marks.audit}));
  facts.cluster_id = record.cluster_id;
  facts.taken_at = record.last_backup_at;
  facts.audit_rows = record.marks.audit.seq;
  ASSIGN_OR_RETURN(facts.live_jobs, database.QueryInt("SELECT count(*) FROM jobs"));
  ASSIGN_OR_RETURN(facts.ended_jobs, database.QueryInt("SELECT count(*) FROM job_history"));
  return facts;
}

absl::StatusOr<BackupFacts> StampAndCheck(const std::string& draft, absl::Time taken_at) {
  ASSIGN_OR_RETURN(const std::unique_ptr<Database> copy, Database::Open(draft));
  Statement stamp = copy->Prepare("UPDATE meta SET last_backup_us = ? WHERE id = 1");
  stamp.BindTime(taken_at);
  RETURN_IF_ERROR(stamp.Run());
  return CheckContent(*copy, draft);
}

int64_t SizeOf(const std::string& path) {
  struct stat file = {};
  return stat(path.c_str(), &file) == 0 ? static_cast<int64_t>(file.st_size) : 0;
}

}  // namespace

absl::StatusOr<std::string> MakeBackupDraft(const std::string& path) {
  if (path.empty() || path.front() != '/') {
    return Refuse("B8212", absl::StrCat("the backup's path \"", path, "\" is not absolute"),
                  "the scheduler writes it, whatever its working directory is",
                  "name the file from / on");
  }
  struct stat file = {};
  if (lstat(path.c_str(), &file) == 0) {
    return Refuse("B8212", absl::StrCat("there is a file \"", path, "\""),
                  "a backup never replaces a file", "name a new file, or remove the old one");
  }
  return MakeDraft(path);
}

void DropBackupDraft(const std::string& draft) {
  unlink(draft.c_str());
}

absl::StatusOr<BackupFacts> FinishBackup(const std::string& draft, const std::string& path,
                                         absl::Time taken_at) {
  absl::StatusOr<BackupFacts> facts = StampAndCheck(draft, taken_at);
  absl::Status status = facts.status();
  if (status.ok()) {
    status = SyncFile(draft);
  }
  if (status.ok()) {
    status = PublishDraft(draft, path);
  }
  unlink(draft.c_str());
  if (absl::IsAlreadyExists(status)) {
    return Refuse("B8212", absl::StrCat("there is a file \"", path, "\""),
                  "it was made while the backup was", "name a new file");
  }
  RETURN_IF_ERROR(status);
  facts->size_bytes = SizeOf(path);
  return facts;
}

absl::StatusOr<BackupFacts> VerifyBackup(const std::string& path) {
  RETURN_IF_ERROR(CheckRegularFile(path));
  ASSIGN_OR_RETURN(const std::unique_ptr<Database> database, Database::OpenToRead(path));
  ASSIGN_OR_RETURN(BackupFacts facts, CheckContent(*database, path));
  facts.size_bytes = SizeOf(path);
  return facts;
}

}  // namespace berth
