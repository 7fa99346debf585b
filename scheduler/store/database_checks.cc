#include "scheduler/store/database_checks.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

#include "common/status_macros.h"
#include "scheduler/store/file_steps.h"
#include "scheduler/store/schema.h"

namespace berth {
namespace {

absl::Status Damaged(const std::string& path, absl::string_view why) {
  return Refuse("B8204", absl::StrCat("the database \"", path, "\" is damaged"), why,
                "keep the file for analysis and restore the last backup");
}

}  // namespace

absl::Status CheckIdentity(Database& database, const std::string& path) {
  ASSIGN_OR_RETURN(const int64_t application, database.QueryInt("PRAGMA application_id"));
  if (application != kApplicationId) {
    return Refuse(
        "B8203", absl::StrCat("\"", path, "\" is not a Berth database"),
        absl::StrFormat("its application id is 0x%x, not 0x%x", application, kApplicationId),
        "point data_dir to the right folder");
  }
  ASSIGN_OR_RETURN(const int64_t version, FindVersion(database));
  if (version > SchemaVersion()) {
    return Refuse("B8205", absl::StrCat("the database \"", path, "\" is from a newer berthd"),
                  absl::StrFormat("its schema has version %d, this berthd knows up to %d", version,
                                  SchemaVersion()),
                  "start the newer berthd, or restore a backup from before the upgrade");
  }
  return absl::OkStatus();
}

absl::Status CheckSoundness(Database& database, const std::string& path, CheckDepth depth) {
  const std::string check = depth == CheckDepth::kQuick ? "quick_check" : "integrity_check";
  ASSIGN_OR_RETURN(const std::string verdict,
                   database.QueryText(absl::StrCat("PRAGMA ", check, "(1)")));
  if (verdict != "ok") {
    return Damaged(path, absl::StrCat(check, " says: ", verdict));
  }
  Statement orphans = database.Prepare("PRAGMA foreign_key_check");
  ASSIGN_OR_RETURN(const bool has_orphans, orphans.Step());
  if (has_orphans) {
    return Damaged(path, absl::StrCat("a row of the table ", orphans.ReadText(),
                                      " refers to a row that is missing"));
  }
  return absl::OkStatus();
}

}  // namespace berth
