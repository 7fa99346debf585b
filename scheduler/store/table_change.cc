#include "scheduler/store/table_change.h"

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

#include "common/status_macros.h"

namespace berth {
namespace {

constexpr absl::string_view kCheck = "CHECK (";

// The CREATE statement of a table, and those of what belongs to it.
struct TableText {
  std::string table;
  std::vector<std::string> indexes_and_triggers;
};

absl::StatusOr<TableText> ReadTableText(Database& database, const std::string& table) {
  Statement rows = database.Prepare(
      "SELECT type, sql FROM sqlite_schema WHERE tbl_name = ? AND sql IS NOT NULL ORDER BY rowid");
  rows.BindText(table);
  TableText text;
  while (true) {
    ASSIGN_OR_RETURN(const bool more, rows.Step());
    if (!more) {
      return text;
    }
    const std::string type = rows.ReadText();
    if (type == "table") {
      text.table = rows.ReadText();
    } else {
      text.indexes_and_triggers.push_back(rows.ReadText());
    }
  }
}

// Writes the table anew with `body` (from the opening parenthesis on) and the same columns.
absl::Status RewriteTable(Database& database, const std::string& table, absl::string_view body,
                          const std::vector<std::string>& indexes_and_triggers) {
  const std::string draft = absl::StrCat(table, "_draft");
  RETURN_IF_ERROR(database.Execute(
      absl::StrCat("CREATE TABLE ", draft, " ", body, ";INSERT INTO ", draft, " SELECT * FROM ",
                   table, ";DROP TABLE ", table, ";ALTER TABLE ", draft, " RENAME TO ", table)));
  for (const std::string& sql : indexes_and_triggers) {
    RETURN_IF_ERROR(database.Execute(sql));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status AllowWords(Database& database, const std::string& table, const std::string& column,
                        const std::vector<std::string>& words) {
  ASSIGN_OR_RETURN(TableText text, ReadTableText(database, table));
  const size_t start = text.table.find('(');
  const size_t found = text.table.find(absl::StrCat(kCheck, column, " = '"));
  if (start == std::string::npos || found == std::string::npos) {
    return absl::InternalError(
        absl::StrCat("the table ", table, " has no enumeration ", column, " to widen"));
  }
  std::string more;
  for (const std::string& word : words) {
    absl::StrAppend(&more, column, " = '", word, "' OR ");
  }
  text.table.insert(found + kCheck.size(), more);
  return RewriteTable(database, table, absl::string_view(text.table).substr(start),
                      text.indexes_and_triggers);
}

}  // namespace berth
