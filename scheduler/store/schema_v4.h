#ifndef BERTH_SCHEDULER_STORE_SCHEMA_V4_H_
#define BERTH_SCHEDULER_STORE_SCHEMA_V4_H_

#include "absl/status/status.h"

#include "scheduler/store/database.h"

namespace berth {

// Version 4: which uploaded folder a job works in, and the end of one at its disk limit.
// Requires: version 3, inside Migrate's transaction.
absl::Status MigrateToV4(Database& database);

}  // namespace berth

#endif  // BERTH_SCHEDULER_STORE_SCHEMA_V4_H_
