#include "scheduler/store/schema_v4.h"

namespace berth {

absl::Status MigrateToV4(Database& database) {
  // upload: the SHA-256 of the manifest; NULL: none. Found by it while nobody may remove it.
  return database.Execute(R"sql(
ALTER TABLE submissions ADD COLUMN upload BLOB CHECK (length(upload) = 32);
CREATE INDEX submissions_upload ON submissions (tenant_id, upload) WHERE upload IS NOT NULL;
)sql");
}

}  // namespace berth
