#include "scheduler/store/schema_v6.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"

namespace berth {
namespace {

// array_ranges: first, count and step of each, where there are several: "1,1,1,5,3,1".
constexpr char kJobColumnsV6[] = R"sql(
ALTER TABLE $table ADD COLUMN array_fails_max INTEGER NOT NULL DEFAULT 0
  CHECK (array_fails_max >= 0);
ALTER TABLE $table ADD COLUMN array_ranges TEXT NOT NULL DEFAULT '';
)sql";

std::string JobColumnsV6(absl::string_view table) {
  return absl::StrReplaceAll(kJobColumnsV6, {
                                                {"$table", table}
  });
}

}  // namespace

absl::Status MigrateToV6(Database& database) {
  return database.Execute(absl::StrCat(JobColumnsV6("jobs"), JobColumnsV6("job_history")));
}

}  // namespace berth
