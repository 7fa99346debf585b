#ifndef BERTH_SCHEDULER_STORE_BACKUP_H_
#define BERTH_SCHEDULER_STORE_BACKUP_H_

// A backup: one file, a copy of the database as of one turn. Made in three steps, so that the
// scheduler pauses for the copy only: MakeBackupDraft and FinishBackup on any thread, Store::CopyTo
// between them on the loop's.

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace berth {

// What a backup says of itself.
struct BackupFacts {
  std::string cluster_id;
  int64_t schema_version = 0;
  absl::Time taken_at = absl::InfinitePast();
  int64_t size_bytes = 0;
  int64_t live_jobs = 0;
  int64_t ended_jobs = 0;
  int64_t audit_rows = 0;
};

// An empty file, mode 0600, beside `path`. FailedPrecondition if there is a file at `path`, or no
// way to write there.
absl::StatusOr<std::string> MakeBackupDraft(const std::string& path);

// After a copy that failed.
void DropBackupDraft(const std::string& draft);

// Writes the time into the copy, checks all of it, forces it to disk and gives it its name. The
// draft is gone in any case.
absl::StatusOr<BackupFacts> FinishBackup(const std::string& draft, const std::string& path,
                                         absl::Time taken_at);

// Reads the whole file and changes nothing: identity, every page and index, every reference, the
// chain of the audit.
absl::StatusOr<BackupFacts> VerifyBackup(const std::string& path);

}  // namespace berth

#endif  // BERTH_SCHEDULER_STORE_BACKUP_H_
