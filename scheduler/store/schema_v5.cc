#include "scheduler/store/schema_v5.h"

namespace berth {

absl::Status MigrateToV5(Database& database) {
  // Widened in place, as in version 4.
  return database.ExecuteOnSchema(R"sql(
UPDATE sqlite_schema SET sql = replace(sql, 'end_reason = ' || quote('disk-limit'),
  'end_reason = ' || quote('disk-limit') || ' OR end_reason = ' || quote('idle'))
  WHERE type = 'table'
)sql");
}

}  // namespace berth
