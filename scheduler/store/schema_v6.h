#ifndef BERTH_SCHEDULER_STORE_SCHEMA_V6_H_
#define BERTH_SCHEDULER_STORE_SCHEMA_V6_H_

#include "absl/status/status.h"

#include "scheduler/store/database.h"

namespace berth {

// Version 6: arrays with several ranges of indexes, and a bound for how many of their tasks may
// fail. Requires: version 5, inside Migrate's transaction.
absl::Status MigrateToV6(Database& database);

}  // namespace berth

#endif  // BERTH_SCHEDULER_STORE_SCHEMA_V6_H_
