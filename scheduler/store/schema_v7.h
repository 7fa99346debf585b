#ifndef BERTH_SCHEDULER_STORE_SCHEMA_V7_H_
#define BERTH_SCHEDULER_STORE_SCHEMA_V7_H_

#include "absl/status/status.h"

#include "scheduler/store/database.h"

namespace berth {

// Version 7: the tasks of arrays that were cancelled before they started.
// Requires: version 6, inside Migrate's transaction.
absl::Status MigrateToV7(Database& database);

}  // namespace berth

#endif  // BERTH_SCHEDULER_STORE_SCHEMA_V7_H_
