#include "scheduler/store/schema_v3.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"

namespace berth {
namespace {

// notice_us: NULL: it told nothing. notice_progress: thousandths; -1: none.
constexpr char kNotice[] = R"sql(
ALTER TABLE $table ADD COLUMN notice_us INTEGER;
ALTER TABLE $table ADD COLUMN notice_text TEXT NOT NULL DEFAULT '';
ALTER TABLE $table ADD COLUMN notice_checkpoint TEXT NOT NULL DEFAULT '';
ALTER TABLE $table ADD COLUMN notice_progress INTEGER NOT NULL DEFAULT -1
  CHECK (notice_progress BETWEEN -1 AND 1000);
)sql";

std::string NoticeOf(absl::string_view table) {
  return absl::StrReplaceAll(kNotice, {
                                          {"$table", table}
  });
}

}  // namespace

absl::Status MigrateToV3(Database& database) {
  return database.Execute(
      absl::StrCat(NoticeOf("jobs"), NoticeOf("job_history"), NoticeOf("attempts")));
}

}  // namespace berth
