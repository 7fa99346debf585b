#ifndef BERTH_SIM_FAULTS_MEMORY_DISK_H_
#define BERTH_SIM_FAULTS_MEMORY_DISK_H_

// A disk that keeps whole transactions in memory: fast, and what it does is plain.

#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "sim/faults/memory_store.h"
#include "sim/faults/scheduler_disk.h"

namespace berth::sim {

class MemoryDisk : public SchedulerDisk {
 public:
  absl::StatusOr<uint64_t> Open() override { return ++content_.epoch; }
  absl::StatusOr<StoredState> Load() override { return content_.nouns.Load(); }
  absl::Status Commit(const DiskTurn& turn) override;
  std::optional<JobId> FindSubmission(TenantId tenant, absl::string_view key) override;
  std::string GetPayload(JobId job) override { return content_.payloads.at(job); }
  bool recovery() const override { return content_.recovery; }
  void Crash() override {}

  bool Knows(JobId job) override;
  absl::Status CheckSame(const Cluster& cluster) override;
  // OK if it says the same as what another disk has loaded.
  absl::Status CheckSame(const StoredState& state);
  void Backup() override { backup_ = content_; }
  bool HasBackup() const override { return backup_.has_value(); }
  void Restore() override;

 private:
  struct Content {
    MemoryStore nouns;
    std::map<JobId, std::string> payloads;
    std::map<std::pair<TenantId, std::string>, JobId> keys;
    std::set<JobId> ended;
    uint64_t epoch = 0;
    bool recovery = false;
  };
  Content content_;
  std::optional<Content> backup_;
};

}  // namespace berth::sim

#endif  // BERTH_SIM_FAULTS_MEMORY_DISK_H_
