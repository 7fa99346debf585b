#ifndef BERTH_SCHEDULER_STORE_CLUSTER_RECORD_H_
#define BERTH_SCHEDULER_STORE_CLUSTER_RECORD_H_

// The one row of the table `meta`: what the database is and how far its numbers have come.

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "scheduler/core/ids.h"
#include "scheduler/store/audit_log.h"
#include "scheduler/store/database.h"

namespace berth {

// What only grows.
struct Marks {
  JobId last_job;
  AllocationId last_allocation;
  AuditHead audit;
};

struct ClusterRecord {
  std::string cluster_id;
  uint64_t sched_epoch = 0;
  Marks marks;                       // as of the last checkpoint: the tables may be ahead
  bool recovery = false;             // restored, and not resumed yet
  AllocationId restored_allocation;  // the highest of the last restored backup; none: never
  absl::Time last_backup_at = absl::InfinitePast();  // never
};

// FailedPrecondition if there is no such row.
absl::StatusOr<ClusterRecord> ReadClusterRecord(Database& database);

// The marks with what the tables say: never behind either of the two.
absl::StatusOr<Marks> FindNewestMarks(Database& database, const ClusterRecord& record);

absl::Status WriteMarks(Database& database, const Marks& marks);

}  // namespace berth

#endif  // BERTH_SCHEDULER_STORE_CLUSTER_RECORD_H_
