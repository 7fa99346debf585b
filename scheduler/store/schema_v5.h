#ifndef BERTH_SCHEDULER_STORE_SCHEMA_V5_H_
#define BERTH_SCHEDULER_STORE_SCHEMA_V5_H_

#include "absl/status/status.h"

#include "scheduler/store/database.h"

namespace berth {

// Version 5: the end of an interactive job that nobody used.
// Requires: version 4, inside Migrate's transaction.
absl::Status MigrateToV5(Database& database);

}  // namespace berth

#endif  // BERTH_SCHEDULER_STORE_SCHEMA_V5_H_
