#ifndef BERTH_SCHEDULER_STORE_SCHEMA_H_
#define BERTH_SCHEDULER_STORE_SCHEMA_H_

// The tables, as numbered migrations: forward only, and never edited once released. The version is
// the file's user_version. A new version is a schema_vN.{h,cc} with MigrateToVN, a row in
// schema.cc, and a fixture of the version before it (tests/scheduler/store/fixtures).

#include <cstdint>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "scheduler/store/database.h"

namespace berth {

// "BRTH": marks the file as ours.
inline constexpr int64_t kApplicationId = 0x42525448;

// The version that this program writes.
int64_t SchemaVersion();

// The version that the database has; 0: it is empty.
absl::StatusOr<int64_t> FindVersion(Database& database);

// Brings the database from its version to SchemaVersion(), each step in a transaction of its own:
// what fails leaves the version before it, whole. Foreign keys are off inside a step, so that it
// may write tables anew, and are checked before it is committed.
// Requires: the file is empty or ours, and not newer.
absl::Status Migrate(Database& database);

// Writes the cluster's first record. Requires: a migrated database without one.
absl::Status Initialize(Database& database, absl::string_view cluster_id);

}  // namespace berth

#endif  // BERTH_SCHEDULER_STORE_SCHEMA_H_
