#ifndef BERTH_SCHEDULER_STORE_STORE_H_
#define BERTH_SCHEDULER_STORE_STORE_H_

// The scheduler's durable state: one SQLite database behind named operations. Owned by the control
// loop and used by its thread only. All SQL is in this folder.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

#include "scheduler/core/changes.h"

namespace berth {

struct StoreOptions {
  std::string path;
  // Kept beside the database and given up when the disk is full. Not smaller than the longest log
  // (wal_pages_max of 4 KiB): then the log can always be brought in, and written again in place.
  int64_t ballast_bytes = 16 << 20;
  int64_t wal_pages_max = 4096;  // checkpoint when the log is longer than this
  // So many of the newest audit rows are checked at the start; VerifyAudit checks all.
  int64_t audit_rows_at_start = 10000;
  // Open only reads; FinishOpening does the rest of it, beside what is done with the rows.
  bool open_in_two_steps = false;
};

// The part of a submission that the cluster does not keep.
struct SubmissionRecord {
  JobId job;
  TenantId tenant;
  std::string idempotency_key;
  std::string payload_hash;  // SHA-256 of `payload`, 32 raw bytes
  std::string payload;       // serialized berth.v1.JobSpec
  std::string upload;        // SHA-256 of the manifest of its folder; empty: none
};

struct AuditEntry {
  absl::Time at;
  UserId user;
  std::string token_id;
  std::string peer;
  std::string action;  // the RPC
  std::string object;
  TenantId tenant;
  std::string decision;  // "ok" or the status code's name
  std::string digest;    // of the request, redacted
};

struct EndedJobQuery {
  std::optional<TenantId> tenant = std::nullopt;
  std::optional<UserId> user = std::nullopt;
  std::optional<ProjectId> project = std::nullopt;
  std::optional<std::string> name = std::nullopt;
  std::vector<JobState> states = {};  // empty: all
  bool without_tasks = false;         // no tasks of arrays
  JobId array = JobId();              // only tasks of this one; none: any job
  JobId before = JobId();             // ids below this; none: from the newest
  int limit = 1000;
};

struct AllocationQuery {
  std::optional<TenantId> tenant = std::nullopt;
  std::optional<JobId> job = std::nullopt;  // none: the newest ones
  std::optional<int> attempt = std::nullopt;
  int limit = 1000;
};

// An allocation with the label of its attempt, which is the last one that the attempt had.
struct AllocationRecord {
  Allocation allocation;
  Funding funding = Funding::kNone;
};

class Store {
 public:
  // Creates or opens and migrates the database, takes the exclusive lock, checks it, and raises the
  // scheduler epoch durably. Refuses a database that is corrupt, newer, in use, not private,
  // or whose newest audit rows were changed.
  static absl::StatusOr<std::unique_ptr<Store>> Open(const StoreOptions& options);
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;
  ~Store();

  uint64_t sched_epoch() const;
  const std::string& cluster_id() const;
  // Restored from a backup and not resumed yet: nothing may be started.
  bool recovery() const;
  absl::Time last_backup_at() const;  // InfinitePast: never

  // Only with open_in_two_steps, once, before the first turn; no other call at the same time.
  // Checks that the database is sound, takes the room on the disk, and makes the epoch durable.
  absl::Status FinishOpening();

  // Everything that is live. Call once, after Open.
  absl::StatusOr<StoredState> Load();

  // One turn of the loop is one transaction: Begin, any of the Save operations, Commit. Durable
  // when Commit returned OK. ResourceExhausted: the disk is full; nothing of the turn is kept and
  // Rollback was done. Any other error: memory is ahead of disk and the process must end.
  absl::Status Begin();
  absl::Status SaveChanges(const Changes& changes);
  absl::Status SaveSubmission(const SubmissionRecord& submission);
  absl::Status SaveAudit(const AuditEntry& entry);
  absl::Status EndRecovery();
  absl::Status Commit();
  void Rollback();

  // Whether writes for users are refused because the disk is full; ends by itself when there is
  // room.
  bool disk_full() const;

  // Reads; also inside a turn.
  struct KnownSubmission {
    JobId job;
    std::string payload_hash;
  };
  absl::StatusOr<std::optional<KnownSubmission>> FindSubmission(TenantId tenant,
                                                                absl::string_view key);
  absl::StatusOr<std::string> GetJobPayload(JobId job);
  absl::StatusOr<std::optional<Job>> FindEndedJob(JobId job);
  absl::StatusOr<std::vector<Job>> ListEndedJobs(const EndedJobQuery& query);  // newest first
  // Newest first, ranks ascending inside an attempt.
  absl::StatusOr<std::vector<AllocationRecord>> ListAllocations(const AllocationQuery& query);
  // The task of an array with this index, live or ended; none if it is no job yet.
  absl::StatusOr<JobId> FindArrayTask(JobId array, int index);
  // Whether a live job, or a task of a live array, works in this uploaded folder.
  absl::StatusOr<bool> IsUploadInUse(TenantId tenant, absl::string_view upload);
  // The attempts before the current or last one, the first one first.
  absl::StatusOr<std::vector<Attempt>> ListEndedAttempts(JobId job);
  // The certificates of what was claimed for the job and taken from it, the newest first.
  absl::StatusOr<std::vector<Reclaim>> ListReclaims(JobId job, int limit);
  // OK if the hash chain of the audit table holds; else names the first bad row.
  absl::Status VerifyAudit();

  // Between turns: writes a consistent copy into `path`, an empty file or none. It is whole, but
  // neither checked nor forced to disk yet (backup.h). Takes about a second for 200 MB.
  absl::Status CopyTo(const std::string& path);
  absl::Status NoteBackup(absl::Time at);

  // Between turns when the loop is idle: checkpoints, and takes the ballast back when there is
  // room. An error that is no full disk: what is on the disk is not known, the process must end.
  absl::Status Maintain();

 private:
  class Connection;
  explicit Store(std::unique_ptr<Connection> connection);
  std::unique_ptr<Connection> connection_;
};

}  // namespace berth

#endif  // BERTH_SCHEDULER_STORE_STORE_H_
