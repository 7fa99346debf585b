#ifndef BERTH_SCHEDULER_STORE_JOB_ROWS_H_
#define BERTH_SCHEDULER_STORE_JOB_ROWS_H_

// Rows of live jobs and ended jobs. Live jobs are a small table of their own, so
// that a change touches few pages however long the history is.

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "scheduler/core/changes.h"
#include "scheduler/core/job.h"
#include "scheduler/store/database.h"
#include "scheduler/store/store.h"

namespace berth {

// Adds a live job, or changes it; `is_new` says which is likely. A job in a terminal state moves to
// the history.
absl::Status SaveJob(Database& database, const Job& job, bool is_new);

// Live jobs by id, without their allocations.
absl::StatusOr<std::vector<Job>> LoadJobs(Database& database);
absl::StatusOr<std::optional<Job>> FindEndedJobRow(Database& database, JobId id);
// Live or ended; none if it is no job yet.
absl::StatusOr<JobId> FindArrayTaskRow(Database& database, JobId array, int index);
absl::StatusOr<std::vector<Job>> ListEndedJobRows(Database& database, const EndedJobQuery& query);

absl::Status SaveSubmissionRow(Database& database, const SubmissionRecord& submission);

}  // namespace berth

#endif  // BERTH_SCHEDULER_STORE_JOB_ROWS_H_
