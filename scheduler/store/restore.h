#ifndef BERTH_SCHEDULER_STORE_RESTORE_H_
#define BERTH_SCHEDULER_STORE_RESTORE_H_

// Puts a backup in the place of the database, while no scheduler runs. What has happened since the
// backup is not known, so the restored database begins another life:
//   - its sched_epoch is 2^32 above the backup's: agents obey it, and no scheduler from before;
//   - ids that may have been given out since are skipped;
//   - what waits is held, since it may have run: a person who knows releases it;
//   - it is in recovery: nothing starts until an operator resumes.

#include <cstdint>
#include <functional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "scheduler/core/ids.h"
#include "scheduler/store/backup.h"

namespace berth {

struct RestoreOptions {
  std::string backup;
  std::string database;           // DATA_DIR/berth.db
  bool replace_existing = false;  // the operator typed the cluster's name
  std::string cluster_name;       // for the refusal's words
  absl::Time now;
  // Brings what belongs beside the database, after all checks and before that is put in place. Done
  // twice it does no harm. Empty: there is nothing.
  std::function<absl::Status()> bring_beside;
};

struct RestoreFacts {
  BackupFacts backup;
  uint64_t sched_epoch = 0;  // the first start will use the next
  JobId last_job;            // the next job's id is above
  int64_t held_jobs = 0;
  std::string kept;  // where the replaced database is; empty: there was none
};

// FailedPrecondition: the backup or the folder is not fit; then nothing has changed. Replaced files
// are kept beside the database.
absl::StatusOr<RestoreFacts> RestoreBackup(const RestoreOptions& options);

}  // namespace berth

#endif  // BERTH_SCHEDULER_STORE_RESTORE_H_
