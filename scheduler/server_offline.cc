#include "scheduler/server_offline.h"

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

}  // namespace

absl::StatusOr<std::string> DescribeBackup(const std::string& path) {
  ASSIGN_OR_RETURN(const BackupFacts facts, VerifyBackup(path));
  return Sentence(path, facts);
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
  ASSIGN_OR_RETURN(const RestoreFacts facts, RestoreBackup(restore));
  std::string text = Sentence(backup, facts.backup);
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
