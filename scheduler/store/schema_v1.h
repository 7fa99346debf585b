#ifndef BERTH_SCHEDULER_STORE_SCHEMA_V1_H_
#define BERTH_SCHEDULER_STORE_SCHEMA_V1_H_

#include "absl/status/status.h"

#include "scheduler/store/database.h"

namespace berth {

// Version 1: the tables, triggers and views of an empty database. Requires: an empty database,
// inside Migrate's transaction.
absl::Status MigrateToV1(Database& database);

}  // namespace berth

#endif  // BERTH_SCHEDULER_STORE_SCHEMA_V1_H_
