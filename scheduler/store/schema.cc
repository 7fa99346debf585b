#include "scheduler/store/schema.h"

#include <array>
#include <string>

#include "absl/strings/str_cat.h"

#include "common/status_macros.h"
#include "scheduler/store/schema_v1.h"

namespace berth {
namespace {

// Entry i leads from version i to version i + 1.
constexpr std::array<std::string (*)(), 1> kMigrations = {SchemaV1};

absl::Status RunMigration(Database& database, int64_t version, const std::string& sql) {
  absl::Status status = database.Execute(
      absl::StrCat("BEGIN IMMEDIATE;", sql, "PRAGMA user_version = ", version + 1, ";COMMIT;"));
  if (!status.ok() && database.in_transaction()) {
    RETURN_IF_ERROR(database.Execute("ROLLBACK"));
  }
  return status;
}

}  // namespace

int64_t SchemaVersion() {
  return static_cast<int64_t>(kMigrations.size());
}

absl::Status Migrate(Database& database) {
  ASSIGN_OR_RETURN(const int64_t found, database.QueryInt("PRAGMA user_version"));
  for (int64_t version = found; version < SchemaVersion(); ++version) {
    RETURN_IF_ERROR(
        RunMigration(database, version, kMigrations.at(static_cast<size_t>(version))()));
  }
  return absl::OkStatus();
}

absl::Status Initialize(Database& database, absl::string_view cluster_id) {
  Statement statement = database.Prepare(
      "INSERT INTO meta (id, cluster_id, sched_epoch, last_job, last_allocation, audit_seq, "
      "audit_hash) VALUES (1, ?, 0, 0, 0, 0, x'')");
  statement.BindText(cluster_id);
  return statement.Run();
}

}  // namespace berth
