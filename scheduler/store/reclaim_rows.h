#ifndef BERTH_SCHEDULER_STORE_RECLAIM_ROWS_H_
#define BERTH_SCHEDULER_STORE_RECLAIM_ROWS_H_

// Rows of the certificates of reclaims. Nothing is ever deleted: whoever lost a job can check why.

#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "scheduler/core/reclaim_record.h"
#include "scheduler/store/database.h"

namespace berth {

// Adds a reclaim with its candidates, or settles it: nothing else of it ever changes.
absl::Status SaveReclaim(Database& database, const Reclaim& reclaim);
// Those whose claims still wait, by id.
absl::StatusOr<std::vector<Reclaim>> LoadReclaims(Database& database);
// Those that claimed for the job or took something from it, the newest first, at most `limit`.
absl::StatusOr<std::vector<Reclaim>> ListReclaimRows(Database& database, JobId job, int limit);
// The highest id ever given out.
absl::StatusOr<ReclaimId> FindLastReclaim(Database& database);

}  // namespace berth

#endif  // BERTH_SCHEDULER_STORE_RECLAIM_ROWS_H_
