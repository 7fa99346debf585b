#ifndef BERTH_SIM_FAULTS_SQLITE_DISK_H_
#define BERTH_SIM_FAULTS_SQLITE_DISK_H_

// The scheduler's real store, on SQLite, on a disk in memory that may lose its power with the
// process. What a life of the scheduler loads is compared with what the lives before have
// committed.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "scheduler/store/store.h"
#include "sim/faults/crash_disk.h"
#include "sim/faults/memory_disk.h"
#include "sim/faults/scheduler_disk.h"

namespace berth::sim {

// A new database, made once for many seeds. The store also looks at the file beside SQLite, so that
// it lies in a folder of the machine, which goes with this. All threads.
class NewDatabase {
 public:
  NewDatabase();
  NewDatabase(const NewDatabase&) = delete;
  NewDatabase& operator=(const NewDatabase&) = delete;
  ~NewDatabase();

  std::string path() const { return folder_ + "/berth.db"; }
  const std::string& content() const { return content_; }

 private:
  std::string folder_;
  std::string content_;
};

class SqliteDisk : public SchedulerDisk {
 public:
  SqliteDisk(const NewDatabase& database, uint64_t seed);

  absl::StatusOr<uint64_t> Open() override;
  absl::StatusOr<StoredState> Load() override;
  absl::Status Commit(const DiskTurn& turn) override;
  std::optional<JobId> FindSubmission(TenantId tenant, absl::string_view key) override;
  std::string GetPayload(JobId job) override;
  bool recovery() const override { return store_->recovery(); }
  void Crash() override;

  bool Knows(JobId job) override;
  absl::Status CheckSame(const Cluster& cluster) override { return committed_.CheckSame(cluster); }
  // The store's own copies are files of the machine.
  void Backup() override {}
  bool HasBackup() const override { return false; }
  void Restore() override {}

 private:
  absl::Status Save(const DiskTurn& turn);

  const std::string path_;
  CrashDisk disk_;
  std::unique_ptr<Store> store_;
  MemoryDisk committed_;
  bool cuts_power_ = false;  // with the next crash
};

}  // namespace berth::sim

#endif  // BERTH_SIM_FAULTS_SQLITE_DISK_H_
