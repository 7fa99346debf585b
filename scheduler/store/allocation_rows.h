#ifndef BERTH_SCHEDULER_STORE_ALLOCATION_ROWS_H_
#define BERTH_SCHEDULER_STORE_ALLOCATION_ROWS_H_

// Rows of allocations and of the device time they hold. Nothing is ever deleted: these rows are the
// record of who had what.

#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "scheduler/core/allocation.h"
#include "scheduler/store/database.h"
#include "scheduler/store/store.h"

namespace berth {

// Writes all of them, first those that give devices back. Ids above `last` are likely new.
absl::Status SaveAllocations(Database& database, const std::vector<Allocation>& allocations,
                             AllocationId last);

// What the cluster keeps in memory, by id: the held allocations, and the released members of
// attempts that still go on.
absl::StatusOr<std::vector<Allocation>> LoadAllocations(Database& database);
absl::StatusOr<std::vector<AllocationRecord>> ListAllocationRows(Database& database,
                                                                 const AllocationQuery& query);

}  // namespace berth

#endif  // BERTH_SCHEDULER_STORE_ALLOCATION_ROWS_H_
