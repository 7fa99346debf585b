#ifndef BERTH_SCHEDULER_STORE_SCHEMA_V2_H_
#define BERTH_SCHEDULER_STORE_SCHEMA_V2_H_

#include "absl/status/status.h"

#include "scheduler/store/database.h"

namespace berth {

// Version 2: what a restored database must remember, and when the last backup was made; elastic
// gangs, shares, topology, arrays and dependencies of jobs; bookings; certificates of reclaims;
// dated edits and blocks of quotas; queue presets.
// Requires: version 1, inside Migrate's transaction.
absl::Status MigrateToV2(Database& database);

}  // namespace berth

#endif  // BERTH_SCHEDULER_STORE_SCHEMA_V2_H_
