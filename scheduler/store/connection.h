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
#include "scheduler/store/database.h"
#include "scheduler/store/node_rows.h"
#include "scheduler/store/store.h"

namespace berth {

// What only grows.
struct Marks {
  JobId last_job;
  AllocationId last_allocation;
  AuditHead audit;
};

// Owned by the store; one thread.
class Store::Connection {
 public:
  Connection(std::unique_ptr<Database> database, const StoreOptions& options);
  ~Connection();
  // Takes the room on the disk and raises the epoch. Call once, first.
  absl::Status Start();
  Database& database() { return *database_; }
  const std::string& cluster_id() const { return cluster_id_; }
  uint64_t sched_epoch() const { return sched_epoch_; }
  bool disk_full() const { return disk_full_; }
  // As the next commit will make them.
  const Marks& marks() const { return turn_; }
  // The audit head that the database keeps apart from the chain.
  const AuditHead& recorded_audit() const { return recorded_.audit; }

  absl::StatusOr<StoredState> Load();

  absl::Status Begin();
  // Requires for these three: between Begin and Commit.
  absl::Status Save(const Changes& changes);
  absl::Status Save(const Submission& submission);
  absl::Status Save(const AuditEntry& entry);
  absl::Status Commit();
  void Rollback();
  void Maintain();

 private:
  // Passes a status of the turn on; for a full disk, ends the turn and makes room first.
  absl::Status Settle(absl::Status status);
  absl::Status SaveCenter(const Changes& changes);
  absl::Status SaveJobs(const Changes& changes);
  absl::Status SaveHeld(const std::vector<Allocation>& allocations);
  absl::Status Checkpoint();
  absl::Status RaiseEpoch();
  absl::Status ReadMarks();
  absl::Status ReadNewestRows();
  absl::Status RecordMarks();
  void MakeRoom();

  const StoreOptions options_;
  const std::unique_ptr<Database> database_;
  NodeRows nodes_;
  Ballast ballast_;
  std::string cluster_id_;
  uint64_t sched_epoch_ = 0;
  Marks recorded_;  // in `meta`
  Marks durable_;   // as of the last commit
  Marks turn_;      // inside the turn
  bool in_turn_ = false;
  bool disk_full_ = false;
};

}  // namespace berth

#endif  // BERTH_SCHEDULER_STORE_CONNECTION_H_
