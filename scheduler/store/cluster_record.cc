#include "scheduler/store/cluster_record.h"

#include <algorithm>

#include "common/error_detail.h"
#include "common/status_macros.h"

namespace berth {

absl::StatusOr<ClusterRecord> ReadClusterRecord(Database& database) {
  Statement row = database.Prepare(
      "SELECT cluster_id, sched_epoch, last_job, last_allocation, audit_seq, audit_hash, recovery, "
      "restored_allocation, last_backup_us FROM meta WHERE id = 1");
  ASSIGN_OR_RETURN(const bool found, row.Step());
  if (!found) {
    return MakeError(absl::StatusCode::kFailedPrecondition,
                     {"B8204", "the database is damaged", "the record of the cluster is missing",
                      "restore the last backup"});
  }
  ClusterRecord record;
  record.cluster_id = row.ReadText();
  record.sched_epoch = static_cast<uint64_t>(row.ReadInt());
  record.marks.last_job = row.ReadId<JobId>();
  record.marks.last_allocation = row.ReadId<AllocationId>();
  record.marks.audit.seq = row.ReadInt();
  record.marks.audit.hash = row.ReadText();
  record.recovery = row.ReadBool();
  record.restored_allocation = row.ReadId<AllocationId>();
  record.last_backup_at = row.ReadTime();
  return record;
}

// If the tables are behind the record, rows are missing: then the numbers go on behind the record,
// and the audit chain shows the gap.
absl::StatusOr<Marks> FindNewestMarks(Database& database, const ClusterRecord& record) {
  ASSIGN_OR_RETURN(const int64_t last_job,
                   database.QueryInt("SELECT max((SELECT ifnull(max(id), 0) FROM jobs), "
                                     "(SELECT ifnull(max(id), 0) FROM job_history))"));
  ASSIGN_OR_RETURN(const int64_t last_allocation,
                   database.QueryInt("SELECT ifnull(max(id), 0) FROM allocations"));
  ASSIGN_OR_RETURN(const AuditHead audit,
                   FindAuditHead(database, EmptyAuditChain(record.cluster_id)));
  Marks newest = record.marks;
  newest.last_job = std::max(newest.last_job, JobId(static_cast<uint64_t>(last_job)));
  newest.last_allocation =
      std::max(newest.last_allocation, AllocationId(static_cast<uint64_t>(last_allocation)));
  if (audit.seq >= newest.audit.seq) {
    newest.audit = audit;
  }
  return newest;
}

absl::Status WriteMarks(Database& database, const Marks& marks) {
  Statement row = database.Prepare(
      "UPDATE meta SET last_job = ?, last_allocation = ?, audit_seq = ?, audit_hash = ? "
      "WHERE id = 1");
  row.BindInt(static_cast<int64_t>(marks.last_job.value()));
  row.BindInt(static_cast<int64_t>(marks.last_allocation.value()));
  row.BindInt(marks.audit.seq);
  row.BindBlob(marks.audit.hash);
  return row.Run();
}

}  // namespace berth
