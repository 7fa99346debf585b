#include "scheduler/store/store.h"

#include <utility>

#include "absl/strings/str_cat.h"

#include "common/status_macros.h"
#include "scheduler/store/allocation_rows.h"
#include "scheduler/store/attempt_rows.h"
#include "scheduler/store/audit_log.h"
#include "scheduler/store/connection.h"
#include "scheduler/store/database_file.h"
#include "scheduler/store/job_rows.h"
#include "scheduler/store/reclaim_rows.h"

namespace berth {

absl::StatusOr<std::unique_ptr<Store>> Store::Open(const StoreOptions& options) {
  ASSIGN_OR_RETURN(std::unique_ptr<Database> database,
                   OpenDatabaseFile(options.path, options.open_in_two_steps));
  auto connection = std::make_unique<Connection>(std::move(database), options);
  RETURN_IF_ERROR(connection->Start());
  if (!options.open_in_two_steps) {
    RETURN_IF_ERROR(connection->Claim());
  }
  return std::unique_ptr<Store>(new Store(std::move(connection)));
}

Store::Store(std::unique_ptr<Connection> connection) : connection_(std::move(connection)) {}

Store::~Store() = default;

uint64_t Store::sched_epoch() const {
  return connection_->record().sched_epoch;
}
const std::string& Store::cluster_id() const {
  return connection_->record().cluster_id;
}
bool Store::recovery() const {
  return connection_->record().recovery;
}
absl::Time Store::last_backup_at() const {
  return connection_->record().last_backup_at;
}
bool Store::disk_full() const {
  return connection_->disk_full();
}

absl::Status Store::FinishOpening() {
  RETURN_IF_ERROR(connection_->CheckSound());
  return connection_->Claim();
}
absl::StatusOr<StoredState> Store::Load() {
  return connection_->Load();
}
absl::Status Store::Begin() {
  return connection_->Begin();
}
absl::Status Store::Commit() {
  return connection_->Commit();
}
void Store::Rollback() {
  connection_->Rollback();
}
absl::Status Store::Maintain() {
  return connection_->Maintain();
}
absl::Status Store::EndRecovery() {
  return connection_->EndRecovery();
}
absl::Status Store::CopyTo(const std::string& path) {
  return connection_->CopyTo(path);
}
absl::Status Store::NoteBackup(absl::Time at) {
  return connection_->NoteBackup(at);
}

absl::Status Store::SaveChanges(const Changes& changes) {
  return connection_->Save(changes);
}
absl::Status Store::SaveSubmission(const SubmissionRecord& submission) {
  return connection_->Save(submission);
}
absl::Status Store::SaveAudit(const AuditEntry& entry) {
  return connection_->Save(entry);
}

absl::StatusOr<std::optional<Store::KnownSubmission>> Store::FindSubmission(TenantId tenant,
                                                                            absl::string_view key) {
  // The second condition tells SQLite that the partial index applies.
  Statement row = connection_->database().Prepare(
      "SELECT job_id, payload_hash FROM submissions "
      "WHERE tenant_id = ? AND idempotency_key = ? AND idempotency_key <> ''");
  row.BindId(tenant);
  row.BindText(key);
  ASSIGN_OR_RETURN(const bool found, row.Step());
  if (!found) {
    return std::nullopt;
  }
  KnownSubmission known;
  known.job = row.ReadId<JobId>();
  known.payload_hash = row.ReadText();
  return known;
}

absl::StatusOr<std::string> Store::GetJobPayload(JobId job) {
  Statement row =
      connection_->database().Prepare("SELECT payload FROM submissions WHERE job_id = ?");
  row.BindId(job);
  ASSIGN_OR_RETURN(const bool found, row.Step());
  if (!found) {
    return absl::NotFoundError(absl::StrCat("job ", job.value(), " has no payload"));
  }
  return row.ReadText();
}

absl::StatusOr<bool> Store::IsUploadInUse(TenantId tenant, absl::string_view upload) {
  // A task has the submission of its array, which may have left the queue before it.
  Statement row = connection_->database().Prepare(
      "SELECT 1 FROM submissions WHERE tenant_id = ? AND upload = ? AND upload IS NOT NULL AND "
      "(EXISTS (SELECT 1 FROM jobs WHERE jobs.id = job_id) OR "
      "EXISTS (SELECT 1 FROM jobs WHERE jobs.array_id IS NOT NULL AND jobs.array_id = job_id)) "
      "LIMIT 1");
  row.BindId(tenant);
  row.BindBlob(upload);
  return row.Step();
}

absl::StatusOr<std::optional<Job>> Store::FindEndedJob(JobId job) {
  return FindEndedJobRow(connection_->database(), job);
}

absl::StatusOr<std::vector<Job>> Store::ListEndedJobs(const EndedJobQuery& query) {
  return ListEndedJobRows(connection_->database(), query);
}

absl::StatusOr<std::vector<AllocationRecord>> Store::ListAllocations(const AllocationQuery& query) {
  return ListAllocationRows(connection_->database(), query);
}

absl::StatusOr<JobId> Store::FindArrayTask(JobId array, int index) {
  return FindArrayTaskRow(connection_->database(), array, index);
}

absl::StatusOr<std::vector<Attempt>> Store::ListEndedAttempts(JobId job) {
  return ListEndedAttemptRows(connection_->database(), job);
}

absl::StatusOr<std::vector<Reclaim>> Store::ListReclaims(JobId job, int limit) {
  return ListReclaimRows(connection_->database(), job, limit);
}

absl::Status Store::VerifyAudit() {
  return VerifyAuditChain(connection_->database(), connection_->audit_milestones());
}

}  // namespace berth
