#ifndef BERTH_SCHEDULER_STORE_SCHEMA_V3_H_
#define BERTH_SCHEDULER_STORE_SCHEMA_V3_H_

#include "absl/status/status.h"

#include "scheduler/store/database.h"

namespace berth {

// Version 3: what attempts told of themselves.
// Requires: version 2, inside Migrate's transaction.
absl::Status MigrateToV3(Database& database);

}  // namespace berth

#endif  // BERTH_SCHEDULER_STORE_SCHEMA_V3_H_
