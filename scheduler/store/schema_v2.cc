#include "scheduler/store/schema_v2.h"

namespace berth {
namespace {

// recovery: 1 from a restore until the operator resumes. last_backup_us: NULL: never.
constexpr char kRecovery[] = R"sql(
ALTER TABLE meta ADD COLUMN recovery INTEGER NOT NULL DEFAULT 0 CHECK (recovery BETWEEN 0 AND 1);
ALTER TABLE meta ADD COLUMN last_backup_us INTEGER;
)sql";

}  // namespace

absl::Status MigrateToV2(Database& database) {
  return database.Execute(kRecovery);
}

}  // namespace berth
