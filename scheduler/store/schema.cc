#include "scheduler/store/schema.h"

#include <array>

#include "absl/strings/str_cat.h"

#include "common/error_detail.h"
#include "common/log.h"
#include "common/status_macros.h"
#include "scheduler/store/schema_v1.h"
#include "scheduler/store/schema_v2.h"
#include "scheduler/store/schema_v3.h"
#include "scheduler/store/schema_v4.h"
#include "scheduler/store/schema_v5.h"
#include "scheduler/store/schema_v6.h"
#include "scheduler/store/schema_v7.h"

namespace berth {
namespace {

// Entry i leads from version i to version i + 1.
constexpr std::array kMigrations = {MigrateToV1, MigrateToV2, MigrateToV3, MigrateToV4,
                                    MigrateToV5, MigrateToV6, MigrateToV7};

// As quick_check does not: a row that refers to one that is missing.
absl::Status CheckForeignKeys(Database& database) {
  Statement orphans = database.Prepare("PRAGMA foreign_key_check");
  ASSIGN_OR_RETURN(const bool has_orphans, orphans.Step());
  if (has_orphans) {
    return absl::InternalError(absl::StrCat("a row of the table ", orphans.ReadText(),
                                            " refers to a row that is missing"));
  }
  return absl::OkStatus();
}

absl::Status RunStep(Database& database, int64_t version) {
  RETURN_IF_ERROR(kMigrations.at(static_cast<size_t>(version))(database));
  RETURN_IF_ERROR(CheckForeignKeys(database));
  return database.Execute(absl::StrCat("PRAGMA user_version = ", version + 1, ";COMMIT"));
}

absl::Status RunMigration(Database& database, int64_t version) {
  RETURN_IF_ERROR(database.Execute("BEGIN IMMEDIATE"));
  const absl::Status status = RunStep(database, version);
  if (status.ok()) {
    return absl::OkStatus();
  }
  if (database.in_transaction()) {
    RETURN_IF_ERROR(database.Execute("ROLLBACK"));
  }
  if (absl::IsResourceExhausted(status)) {
    return status;
  }
  return MakeError(
      absl::StatusCode::kFailedPrecondition,
      {"B8211", absl::StrCat("the database cannot be brought to version ", version + 1),
       status.message(),
       absl::StrCat("nothing was changed: start the berthd that wrote version ", version)});
}

absl::Status RunMigrations(Database& database) {
  ASSIGN_OR_RETURN(const int64_t found, FindVersion(database));
  for (int64_t version = found; version < SchemaVersion(); ++version) {
    RETURN_IF_ERROR(RunMigration(database, version));
  }
  if (found != 0 && found != SchemaVersion()) {
    LogInfo("database migrated", {
                                     {"from", found          },
                                     {"to",   SchemaVersion()}
    });
  }
  return absl::OkStatus();
}

}  // namespace

int64_t SchemaVersion() {
  return static_cast<int64_t>(kMigrations.size());
}

absl::StatusOr<int64_t> FindVersion(Database& database) {
  return database.QueryInt("PRAGMA user_version");
}

absl::Status Migrate(Database& database) {
  RETURN_IF_ERROR(database.Execute("PRAGMA foreign_keys = OFF;PRAGMA legacy_alter_table = ON"));
  const absl::Status status = RunMigrations(database);
  RETURN_IF_ERROR(database.Execute("PRAGMA legacy_alter_table = OFF;PRAGMA foreign_keys = ON"));
  return status;
}

absl::Status Initialize(Database& database, absl::string_view cluster_id) {
  Statement statement = database.Prepare(
      "INSERT INTO meta (id, cluster_id, sched_epoch, last_job, last_allocation, audit_seq, "
      "audit_hash) VALUES (1, ?, 0, 0, 0, 0, x'')");
  statement.BindText(cluster_id);
  return statement.Run();
}

}  // namespace berth
