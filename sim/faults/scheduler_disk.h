#ifndef BERTH_SIM_FAULTS_SCHEDULER_DISK_H_
#define BERTH_SIM_FAULTS_SCHEDULER_DISK_H_

// What outlives the scheduler's process: the operations of its store, and the crashes and restores
// that a disk goes through. Owned by the World; one thread.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

#include "scheduler/core/changes.h"
#include "scheduler/core/cluster.h"
#include "scheduler/store/store.h"

namespace berth::sim {

// One transaction.
struct DiskTurn {
  const Changes& changes;
  const std::vector<SubmissionRecord>& submissions;
  bool ends_recovery = false;
};

class SchedulerDisk {
 public:
  virtual ~SchedulerDisk() = default;

  // ---- A life of the scheduler's process ----
  // Raises the epoch durably and returns it.
  virtual absl::StatusOr<uint64_t> Open() = 0;
  virtual absl::StatusOr<StoredState> Load() = 0;
  // Durable when it returns OK.
  virtual absl::Status Commit(const DiskTurn& turn) = 0;
  virtual std::optional<JobId> FindSubmission(TenantId tenant, absl::string_view key) = 0;
  virtual std::string GetPayload(JobId job) = 0;
  virtual bool recovery() const = 0;
  // The process dies: what was not forced to the disk may be lost.
  virtual void Crash() = 0;

  // ---- Between lives ----
  // Whether the job is there, live or ended.
  virtual bool Knows(JobId job) = 0;
  // OK if it says the same as the memory of a scheduler between two turns.
  virtual absl::Status CheckSame(const Cluster& cluster) = 0;
  virtual void Backup() = 0;
  virtual bool HasBackup() const = 0;
  // Begins another life from the backup, in recovery.
  virtual void Restore() = 0;
};

}  // namespace berth::sim

#endif  // BERTH_SIM_FAULTS_SCHEDULER_DISK_H_
