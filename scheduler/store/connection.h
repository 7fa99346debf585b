#ifndef BERTH_SCHEDULER_STORE_CONNECTION_H_
#define BERTH_SCHEDULER_STORE_CONNECTION_H_

// What is behind the store: the open database, the turn in progress, and the room on the disk.

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "scheduler/store/audit_log.h"
#include "scheduler/store/ballast.h"
#include "scheduler/store/cluster_record.h"
#include "scheduler/store/database.h"
#include "scheduler/store/node_rows.h"
#include "scheduler/store/store.h"

namespace berth {

// Owned by the store; one thread.
class Store::Connection {
 public:
  Connection(std::unique_ptr<Database> database, const StoreOptions& options);
  ~Connection();
  // Call once, first. Only reads.
  absl::Status Start();
  absl::Status CheckSound();
  // Takes the room on the disk and makes the new epoch durable. Call once, before any turn.
  absl::Status Claim();
  Database& database() { return *database_; }
  const ClusterRecord& record() const { return record_; }
  bool disk_full() const { return disk_full_; }
  // As the next commit will make them.
  const Marks& marks() const { return turn_; }

  AuditMilestones audit_milestones() const;

  absl::StatusOr<StoredState> Load();

  absl::Status Begin();
  // Requires for these: between Begin and Commit.
  absl::Status Save(const Changes& changes);
  absl::Status Save(const SubmissionRecord& submission);
  absl::Status Save(const AuditEntry& entry);
  absl::Status EndRecovery();
  absl::Status Commit();
  void Rollback();
  absl::Status Maintain();

  // Requires for both: between turns.
  absl::Status CopyTo(const std::string& path);
  absl::Status NoteBackup(absl::Time at);

 private:
  // Passes a status of the turn on; for a full disk, ends the turn and makes room first.
  absl::Status Settle(absl::Status status);
  absl::Status SaveCenter(const Changes& changes);
  absl::Status SaveJobs(const Changes& changes);
  absl::Status SaveHeld(const std::vector<Allocation>& allocations);
  absl::Status Checkpoint();
  absl::Status WriteEpoch();
  absl::Status ReadMarks();
  absl::Status VerifyNewestAudit();
  absl::Status RecordMarks();
  absl::Status MakeRoom();

  const StoreOptions options_;
  const std::unique_ptr<Database> database_;
  NodeRows nodes_;
  Ballast ballast_;
  ClusterRecord record_;  // as it is in `meta`
  Marks durable_;         // as of the last commit
  Marks turn_;            // inside the turn
  bool turn_ends_recovery_ = false;
  bool is_claimed_ = false;
  bool in_turn_ = false;
  bool disk_full_ = false;
};

}  // namespace berth

#endif  // BERTH_SCHEDULER_STORE_CONNECTION_H_
