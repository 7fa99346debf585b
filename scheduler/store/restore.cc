#include "scheduler/store/restore.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <memory>

#include "absl/strings/str_cat.h"

#include "common/status_macros.h"
#include "scheduler/core/utc_text.h"
#include "scheduler/store/audit_log.h"
#include "scheduler/store/cluster_record.h"
#include "scheduler/store/database.h"
#include "scheduler/store/database_checks.h"
#include "scheduler/store/file_steps.h"
#include "scheduler/store/schema.h"
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace berth {
namespace {

constexpr uint64_t kEpochStep = uint64_t{1} << 32;
// More than a center gives out in a day: 115 jobs a second, and each in many allocations.
constexpr uint64_t kJobsPerDay = 10'000'000;
constexpr uint64_t kAllocationsPerDay = uint64_t{1} << 32;
constexpr mode_t kOwnerOnlyFolder = 0700;
// Where SQLite locks a database file ("File Locking And Concurrency In SQLite Version 3").
constexpr off_t kLockBytesFrom = 0x40000000;
constexpr off_t kLockBytes = 512;

bool Exists(const std::string& path) {
  struct stat file = {};
  return lstat(path.c_str(), &file) == 0;
}

// Asks for the lock itself rather than SQLite: the database may be damaged.
bool IsInUse(const std::string& path) {
  const int file = open(path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW);
  if (file < 0) {
    return false;
  }
  struct flock lock = {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  lock.l_start = kLockBytesFrom;
  lock.l_len = kLockBytes;
  const bool is_free = fcntl(file, F_GETLK, &lock) == 0 && lock.l_type == F_UNLCK;
  close(file);
  return !is_free;
}

absl::Status CheckPlace(const RestoreOptions& options) {
  const std::string& path = options.database;
  const std::string folder = FolderOf(path);
  if (mkdir(folder.c_str(), kOwnerOnlyFolder) != 0 && errno != EEXIST) {
    return SystemError(errno, absl::StrCat("cannot create the folder \"", folder, "\""));
  }
  if (!Exists(path) && !Exists(absl::StrCat(path, "-wal"))) {
    return absl::OkStatus();
  }
  if (IsInUse(path)) {
    return Refuse("B8206", absl::StrCat("the database \"", path, "\" is in use"),
                  "a berthd runs on it", "stop it first; jobs go on meanwhile");
  }
  if (!options.replace_existing) {
    return Refuse("B8214", absl::StrCat("there is a database in \"", folder, "\""),
                  "a restore would put it aside: everything since the backup would be unknown",
                  absl::StrCat("if that is meant: --cluster-name ", options.cluster_name));
  }
  return absl::OkStatus();
}

// Numbers that the replaced database gave out count, too: the backup may be restored a second time.
// Damaged: then nothing more can be known than the backup's age tells.
void CountReplaced(const std::string& path, ClusterRecord& record) {
  const auto database = Database::Open(path);
  if (!database.ok() || !CheckIdentity(**database, path).ok()) {
    return;
  }
  const auto replaced = ReadClusterRecord(**database);
  if (!replaced.ok()) {
    return;
  }
  record.sched_epoch = std::max(record.sched_epoch, replaced->sched_epoch);
  if (const auto marks = FindNewestMarks(**database, *replaced); marks.ok()) {
    record.marks.last_job = std::max(record.marks.last_job, marks->last_job);
    record.marks.last_allocation = std::max(record.marks.last_allocation, marks->last_allocation);
  }
}

uint64_t DaysSince(const ClusterRecord& record, absl::Time now) {
  const absl::Duration age = record.last_backup_at == absl::InfinitePast()
                                 ? absl::ZeroDuration()
                                 : now - record.last_backup_at;
  return static_cast<uint64_t>(std::max<int64_t>(absl::ToInt64Hours(age) / 24, 0)) + 1;
}

// To the next multiple, so that an id shows that it is from after a restore.
uint64_t SkipAhead(uint64_t last, uint64_t per_day, uint64_t days) {
  return (last / per_day + days) * per_day;
}

std::string WhyHeld(const ClusterRecord& record) {
  const std::string taken = record.last_backup_at == absl::InfinitePast()
                                ? "a backup"
                                : absl::StrCat("a backup of ", UtcText(record.last_backup_at));
  return absl::StrCat("the center was restored from ", taken,
                      ": the job may have run since; release it if it has not");
}

absl::StatusOr<int64_t> HoldWhatWaits(Database& database, const std::string& why) {
  Statement jobs = database.Prepare(
      "UPDATE jobs SET state = 'held', end_reason = 'admin', end_message = ?, "
      "version = version + 1 WHERE state = 'queued'");
  jobs.BindText(why);
  RETURN_IF_ERROR(jobs.Run());
  return database.changes();
}

absl::Status WriteRecord(Database& database, const ClusterRecord& record) {
  Statement row = database.Prepare(
      "UPDATE meta SET sched_epoch = ?, recovery = 1, restored_allocation = ? WHERE id = 1");
  row.BindInt(static_cast<int64_t>(record.sched_epoch));
  row.BindInt(static_cast<int64_t>(record.restored_allocation.value()));
  RETURN_IF_ERROR(row.Run());
  return WriteMarks(database, record.marks);
}

absl::Status BeginAnotherLife(Database& database, const RestoreOptions& options,
                              RestoreFacts& facts) {
  ASSIGN_OR_RETURN(ClusterRecord record, ReadClusterRecord(database));
  ASSIGN_OR_RETURN(record.marks, FindNewestMarks(database, record));
  record.restored_allocation = record.marks.last_allocation;
  if (Exists(options.database)) {
    CountReplaced(options.database, record);
  }
  const uint64_t days = DaysSince(record, options.now);
  record.sched_epoch += kEpochStep;
  record.marks.last_allocation =
      AllocationId(SkipAhead(record.marks.last_allocation.value(), kAllocationsPerDay, days));
  record.marks.last_job = JobId(SkipAhead(record.marks.last_job.value(), kJobsPerDay, days));
  RETURN_IF_ERROR(AppendAudit(database,
                              {.at = options.now,
                               .user = UserId(),
                               .token_id = "",
                               .peer = "local",
                               .action = "restore",
                               .object = options.backup,
                               .tenant = TenantId(),
                               .decision = "ok",
                               .digest = ""},
                              record.marks.audit));
  ASSIGN_OR_RETURN(facts.held_jobs, HoldWhatWaits(database, WhyHeld(record)));
  facts.sched_epoch = record.sched_epoch;
  facts.last_job = record.marks.last_job;
  return WriteRecord(database, record);
}

absl::Status PrepareDraft(const std::string& draft, const RestoreOptions& options,
                          RestoreFacts& facts) {
  RETURN_IF_ERROR(CopyFile(options.backup, draft));
  {
    ASSIGN_OR_RETURN(const std::unique_ptr<Database> database, Database::Open(draft));
    RETURN_IF_ERROR(CheckIdentity(*database, draft));
    RETURN_IF_ERROR(Migrate(*database));
    RETURN_IF_ERROR(database->Execute("BEGIN IMMEDIATE"));
    RETURN_IF_ERROR(BeginAnotherLife(*database, options, facts));
    RETURN_IF_ERROR(database->Execute("COMMIT"));
  }
  // What is put in place has passed every check after the last write to it.
  RETURN_IF_ERROR(VerifyBackup(draft).status());
  return SyncFile(draft);
}

absl::Status MoveFile(const std::string& from, const std::string& to) {
  return rename(from.c_str(), to.c_str()) == 0
             ? absl::OkStatus()
             : SystemError(errno, absl::StrCat("cannot move \"", from, "\" to \"", to, "\""));
}

// The log goes first: beside the new database it would be taken for its log.
absl::Status PutInPlace(const std::string& draft, const RestoreOptions& options,
                        RestoreFacts& facts) {
  const std::string& path = options.database;
  const std::string log = absl::StrCat(path, "-wal");
  const std::string kept = absl::StrCat(path, ".replaced-", absl::ToUnixMillis(options.now));
  const bool had_database = Exists(path);
  if (had_database && link(path.c_str(), kept.c_str()) != 0) {
    return SystemError(errno, absl::StrCat("cannot keep \"", path, "\" as \"", kept, "\""));
  }
  if (Exists(log)) {
    RETURN_IF_ERROR(MoveFile(log, absl::StrCat(kept, "-wal")));
  }
  RETURN_IF_ERROR(SyncFolder(FolderOf(path)));
  RETURN_IF_ERROR(MoveFile(draft, path));
  facts.kept = had_database ? kept : "";
  return SyncFolder(FolderOf(path));
}

}  // namespace

absl::StatusOr<RestoreFacts> RestoreBackup(const RestoreOptions& options) {
  RestoreFacts facts;
  ASSIGN_OR_RETURN(facts.backup, VerifyBackup(options.backup));
  RETURN_IF_ERROR(CheckPlace(options));
  ASSIGN_OR_RETURN(const std::string draft, MakeDraft(options.database));
  absl::Status status = PrepareDraft(draft, options, facts);
  if (status.ok() && options.bring_beside) {
    status = options.bring_beside();
  }
  if (status.ok()) {
    status = PutInPlace(draft, options, facts);
  }
  unlink(draft.c_str());
  RETURN_IF_ERROR(status);
  return facts;
}

}  // namespace berth
