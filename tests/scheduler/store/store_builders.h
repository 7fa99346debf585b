#ifndef BERTH_TESTS_SCHEDULER_STORE_STORE_BUILDERS_H_
#define BERTH_TESTS_SCHEDULER_STORE_STORE_BUILDERS_H_

// A small center with every noun, turns of the loop in one call, and a second, raw connection.

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "gtest/gtest.h"
#include "sqlite3.h"

#include "common/status_macros.h"
#include "scheduler/core/changes.h"
#include "scheduler/store/store.h"
#include <unistd.h>

namespace berth {

inline constexpr int64_t kStartUs = 1700000000000000;

inline absl::Time At(int64_t seconds) {
  return absl::FromUnixMicros(kStartUs) + absl::Seconds(seconds);
}

// Where nothing waits for a disk, if there is such a place.
inline std::string FastFolder() {
  constexpr char kMemory[] = "/dev/shm";
  return access(kMemory, W_OK) == 0 ? kMemory : std::filesystem::temp_directory_path().string();
}

inline StoreOptions SmallOptions(const std::string& path) {
  StoreOptions options;
  options.path = path;
  options.ballast_bytes = 1 << 20;
  options.wal_pages_max = 256;
  return options;
}

inline std::unique_ptr<Store> OpenStore(const std::string& path) {
  absl::StatusOr<std::unique_ptr<Store>> store = Store::Open(SmallOptions(path));
  EXPECT_TRUE(store.ok()) << store.status();
  return store.ok() ? std::move(*store) : nullptr;
}

inline absl::Status SaveTurn(Store& store, const Changes& changes) {
  RETURN_IF_ERROR(store.Begin());
  if (absl::Status status = store.SaveChanges(changes); !status.ok()) {
    store.Rollback();
    return status;
  }
  return store.Commit();
}

inline Node MakeNode(uint64_t id, int devices) {
  Node node;
  node.id = NodeId(id);
  node.name = "node-" + std::to_string(id);
  node.state = NodeState::kReady;
  node.facts.hostname = "host-" + std::to_string(id);
  node.facts.capacity = {.cpu_milli = 64000, .memory_mib = 512000};
  for (int i = 0; i < devices; ++i) {
    Device device;
    device.index = i;
    device.device_class = ClassId(1);
    device.uuid = "GPU-" + std::to_string(id) + "-" + std::to_string(i);
    device.memory_mib = 81920;
    node.facts.devices.push_back(device);
  }
  return node;
}

// A class, two tenants with a project, a user and a quota each, and two nodes of 8 devices.
inline Changes MakeCenter() {
  Changes changes;
  changes.classes.push_back({ClassId(1), "sim-a100-80g"});
  for (const uint64_t id : {1, 2}) {
    Tenant tenant;
    tenant.id = TenantId(id);
    tenant.name = id == 1 ? "vision" : "speech";
    tenant.created_at = At(0);
    changes.tenants.push_back(tenant);
    changes.projects.push_back({ProjectId(id), TenantId(id), "default", At(1)});
    QuotaRecord quota;
    quota.key = {TenantId(id), ProjectId(), ClassId(1)};
    quota.limits.entitlement = 8;
    changes.quotas.push_back(quota);
    changes.users.push_back({UserId(id), "ada", TenantId(id), Role::kMember, At(2)});
    changes.nodes.push_back(MakeNode(id, 8));
  }
  return changes;
}

inline Job MakeJob(uint64_t id, uint64_t tenant = 1) {
  Job job;
  job.id = JobId(id);
  job.spec.name = "train-" + std::to_string(id);
  job.spec.tenant = TenantId(tenant);
  job.spec.project = ProjectId(tenant);
  job.spec.user = UserId(tenant);
  job.spec.time_limit = absl::Hours(1);
  job.spec.grace = absl::Seconds(30);
  job.submitted_at = At(static_cast<int64_t>(id));
  return job;
}

inline Job MakeEndedJob(uint64_t id, uint64_t tenant = 1, JobState state = JobState::kSucceeded) {
  Job job = MakeJob(id, tenant);
  job.state = state;
  job.ended_at = At(100);
  job.attempt.end.reason = EndReason::kExit;
  return job;
}

inline Allocation MakeAllocation(uint64_t id, uint64_t job, uint64_t node, int device) {
  Allocation allocation;
  allocation.id = AllocationId(id);
  allocation.job = JobId(job);
  allocation.rank = static_cast<int>(id % 100);
  allocation.node = NodeId(node);
  allocation.tenant = TenantId(1);
  allocation.project = ProjectId(1);
  allocation.device_class = ClassId(1);
  allocation.devices = {
      {device, kWholeDeviceMilli, "GPU-x-" + std::to_string(device)}
  };
  allocation.reserved_at = At(10);
  return allocation;
}

inline Allocation Released(Allocation allocation) {
  allocation.state = AllocationState::kReleased;
  allocation.evidence = ReleaseEvidence::kReported;
  allocation.released_at = At(70);
  return allocation;
}

inline SubmissionRecord MakeSubmission(uint64_t job, const std::string& key) {
  SubmissionRecord submission;
  submission.job = JobId(job);
  submission.tenant = TenantId(1);
  submission.idempotency_key = key;
  submission.payload_hash = std::string(32, 'h');
  submission.payload = "p";
  return submission;
}

inline AuditEntry MakeAudit(const std::string& object) {
  AuditEntry entry;
  entry.at = At(5);
  entry.user = UserId(1);
  entry.token_id = "abcdefghijkl";
  entry.peer = "127.0.0.1:4711";
  entry.action = "Submit";
  entry.object = object;
  entry.tenant = TenantId(1);
  entry.decision = "ok";
  entry.digest = "d1";
  return entry;
}

// What a person with sqlite3 can do while no scheduler runs.
class RawDatabase {
 public:
  explicit RawDatabase(const std::string& path) {
    EXPECT_EQ(sqlite3_open(path.c_str(), &connection_), SQLITE_OK);
    Run("PRAGMA foreign_keys = ON");
  }
  ~RawDatabase() { sqlite3_close(connection_); }
  RawDatabase(const RawDatabase&) = delete;
  RawDatabase& operator=(const RawDatabase&) = delete;

  // Returns: the error, or "".
  std::string Run(const std::string& sql) {
    char* error = nullptr;
    sqlite3_exec(connection_, sql.c_str(), nullptr, nullptr, &error);
    std::string text = error == nullptr ? "" : error;
    sqlite3_free(error);
    return text;
  }
  // Returns: all rows, "a|b\n" each.
  std::string Query(const std::string& sql) {
    std::string rows;
    EXPECT_EQ(sqlite3_exec(connection_, sql.c_str(), AppendRow, &rows, nullptr), SQLITE_OK)
        << sqlite3_errmsg(connection_);
    return rows;
  }

 private:
  static int AppendRow(void* rows, int columns, char** values, char** /*names*/) {
    std::string& text = *static_cast<std::string*>(rows);
    for (int i = 0; i < columns; ++i) {
      text += (i == 0 ? "" : "|") + std::string(values[i] == nullptr ? "-" : values[i]);
    }
    text += "\n";
    return 0;
  }

  sqlite3* connection_ = nullptr;
};

}  // namespace berth

#endif  // BERTH_TESTS_SCHEDULER_STORE_STORE_BUILDERS_H_
