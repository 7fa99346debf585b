#include "scheduler/store/schema_v7.h"

namespace berth {

absl::Status MigrateToV7(Database& database) {
  // First, count and step of each range of indexes, as in array_ranges.
  return database.Execute(R"sql(
ALTER TABLE jobs ADD COLUMN array_cancelled TEXT NOT NULL DEFAULT '';
ALTER TABLE job_history ADD COLUMN array_cancelled TEXT NOT NULL DEFAULT '';
)sql");
}

}  // namespace berth
