#include "scheduler/server_offline.h"

#include <cerrno>
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/time.h"

#include "common/error_detail.h"
#include "common/status_macros.h"
#include "scheduler/core/utc_text.h"
#include "scheduler/store/backup.h"
#include "scheduler/store/database_file.h"
#include "scheduler/store/restore.h"
#include "scheduler/store/schema.h"
#include "scheduler/upload_backup.h"
#include <unistd.h>

namespace berth {
namespace {

std::string DatabaseOf(const ServerOptions& options) {
  return absl::StrCat(options.data_dir, "/berth.db");
}

std::string When(absl::Time time) {
  return time == absl::InfinitePast() ? "at an unknown time" : UtcText(time);
}

std::string Sentence(const std::string& path, const BackupFacts& facts) {
  if (facts.cluster_id.empty()) {
    return absl::StrFormat("%s is whole: schema version %d, %d bytes; a restore migrates it\n",
                           path, facts.schema_version, facts.size_bytes);
  }
  return absl::StrFormat(
      "%s is whole: cluster %s, schema version %d, taken %s, %d live and %d ended jobs, %d audit "
      "rows, %d bytes\n",
      path, facts.cluster_id, facts.schema_version, When(facts.taken_at), facts.live_jobs,
      facts.ended_jobs, facts.audit_rows, facts.size_bytes);
}

std::string Sentence(const std::string& backup, const std::optional<UploadBackupFacts>& uploads) {
  return uploads.has_value()
             ? absl::StrFormat("%s is whole: %d uploaded folders, %d bytes\n",
                               UploadBackupPath(backup), uploads->uploads, uploads->size_bytes)
             : absl::StrCat("no uploaded folders are with it (there is no ",
                            UploadBackupPath(backup), ")\n");
}

// None: it has no uploads beside it.
absl::StatusOr<std::optional<UploadBackupFacts>> VerifyUploadsOf(const std::string& backup,
                                                                 const BackupFacts& facts) {
  const std::string path = UploadBackupPath(backup);
  if (access(path.c_str(), F_OK) != 0 && errno == ENOENT) {
    return std::nullopt;
  }
  ASSIGN_OR_RETURN(const UploadBackupFacts uploads, VerifyUploads(path));
  // One of an earlier schema version does not say when it was taken.
  if (!facts.cluster_id.empty() && uploads.taken_at != facts.taken_at) {
    return MakeError(absl::StatusCode::kFailedPrecondition,
                     {"B8213", absl::StrCat("\"", path, "\" belongs to another backup"),
                      absl::StrFormat("it was taken %s, and the backup %s", When(uploads.taken_at),
                                      When(facts.taken_at)),
                      "put the backup's own beside it, or none"});
  }
  return uploads;
}

}  // namespace

absl::StatusOr<std::string> DescribeBackup(const std::string& path) {
  ASSIGN_OR_RETURN(const BackupFacts facts, VerifyBackup(path));
  ASSIGN_OR_RETURN(const auto uploads, VerifyUploadsOf(path, facts));
  return Sentence(path, facts) + Sentence(path, uploads);
}

absl::StatusOr<std::string> RestoreOffline(const ServerOptions& options, const std::string& backup,
                                           absl::string_view cluster_name, const Clock& clock) {
  if (!cluster_name.empty() && cluster_name != options.cluster_name) {
    return MakeError(
        absl::StatusCode::kFailedPrecondition,
        {"B8214", absl::StrCat("\"", cluster_name, "\" is not the name of this cluster"),
         "the name must be typed exactly, so that no other center is overwritten",
         "cluster_name in berthd.toml"});
  }
  RestoreOptions restore;
  restore.backup = backup;
  restore.database = DatabaseOf(options);
  restore.replace_existing = !cluster_name.empty();
  restore.cluster_name = options.cluster_name;
  restore.now = clock.Now();
  ASSIGN_OR_RETURN(const BackupFacts found, VerifyBackup(backup));
  ASSIGN_OR_RETURN(const auto uploads, VerifyUploadsOf(backup, found));
  if (uploads.has_value()) {
    restore.bring_beside = [&] {
      return RestoreUploads(UploadBackupPath(backup), UploadsFolder(options), restore.now);
    };
  }
  ASSIGN_OR_RETURN(const RestoreFacts facts, RestoreBackup(restore));
  std::string text = Sentence(backup, facts.backup) + Sentence(backup, uploads);
  if (!facts.kept.empty()) {
    absl::StrAppend(&text, "the replaced database is kept as ", facts.kept, "\n");
  }
  absl::StrAppendFormat(&text,
                        "restored: epoch %d, job ids go on above %d, %d waiting jobs are held\n"
                        "start berthd: it adopts what runs and starts nothing until `berth admin "
                        "resume`\n",
                        facts.sched_epoch, facts.last_job.value(), facts.held_jobs);
  return text;
}

absl::StatusOr<std::string> MigrateOffline(const ServerOptions& options) {
  ASSIGN_OR_RETURN(const auto database, OpenDatabaseFile(DatabaseOf(options)));
  ASSIGN_OR_RETURN(const int64_t version, FindVersion(*database));
  return absl::StrFormat("%s is sound and has schema version %d\n", DatabaseOf(options), version);
}

}  // namespace berth
