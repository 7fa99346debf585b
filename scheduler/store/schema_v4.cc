#include "scheduler/store/schema_v4.h"

#include "common/status_macros.h"

namespace berth {

absl::Status MigrateToV4(Database& database) {
  // A CHECK is widened in place, as sqlite.org/lang_altertable.html (section 7) allows where every
  // row stays valid: a million ended jobs need not be copied for a word.
  RETURN_IF_ERROR(database.ExecuteOnSchema(R"sql(
UPDATE sqlite_schema SET sql = replace(sql, 'end_reason = ' || quote('launch-error'),
  'end_reason = ' || quote('launch-error') || ' OR end_reason = ' || quote('disk-limit'))
  WHERE type = 'table'
)sql"));
  // upload: the SHA-256 of the manifest; NULL: none. Found by it while nobody may remove it.
  return database.Execute(R"sql(
ALTER TABLE submissions ADD COLUMN upload BLOB CHECK (length(upload) = 32);
CREATE INDEX submissions_upload ON submissions (tenant_id, upload) WHERE upload IS NOT NULL;
)sql");
}

}  // namespace berth
