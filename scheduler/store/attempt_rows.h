#ifndef BERTH_SCHEDULER_STORE_ATTEMPT_ROWS_H_
#define BERTH_SCHEDULER_STORE_ATTEMPT_ROWS_H_

// The columns of an attempt: those of the current one stand in its job's row, ended ones have rows
// of their own.

#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "scheduler/core/changes.h"
#include "scheduler/core/job.h"
#include "scheduler/store/database.h"

namespace berth {

// BindAttempt and ReadAttempt follow this order.
inline constexpr char kAttemptColumns[] =
    "attempt, attempt_state, funding, class_id, attempt_created_us, started_us, attempt_ended_us, "
    "end_reason, exit_code, signal, failed_rank, end_message, rendezvous_address, "
    "rendezvous_port, checkpoint_us, notice_us, notice_text, notice_checkpoint, notice_progress";
inline constexpr int kAttemptColumnCount = 19;

void BindAttempt(Statement& row, const Attempt& attempt);
void ReadAttempt(Statement& row, Attempt& attempt);

absl::Status SaveEndedAttempt(Database& database, const EndedAttempt& ended);
// Those before the one in the job's own row, the first one first.
absl::StatusOr<std::vector<Attempt>> ListEndedAttemptRows(Database& database, JobId job);

}  // namespace berth

#endif  // BERTH_SCHEDULER_STORE_ATTEMPT_ROWS_H_
