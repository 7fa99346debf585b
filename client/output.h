#ifndef BERTH_CLIENT_OUTPUT_H_
#define BERTH_CLIENT_OUTPUT_H_

// Data on standard output: one Listing, written as a table for people or as JSON, CSV, names or
// chosen fields for programs.

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

#include "client/option.h"
#include <nlohmann/json.hpp>

namespace berth {

using Json = nlohmann::ordered_json;

enum class OutputKind { kTable, kWide, kJson, kJsonl, kCsv, kName, kFields };

struct OutputFormat {
  OutputKind kind = OutputKind::kTable;
  std::vector<std::string> fields;  // of kFields
  bool headers = true;
  bool for_people() const { return kind == OutputKind::kTable || kind == OutputKind::kWide; }
};

// "table", "json", "fields=id,state", ...; empty: a table.
absl::StatusOr<OutputFormat> ParseOutputFormat(absl::string_view text);

struct Column {
  const char* header;
  int drop = 0;            // 0: never; else the highest goes first when the line is too narrow
  bool right = false;      // align to the right
  bool wide_only = false;  // only with -o wide
};

inline Column Left(const char* header, int drop = 0) {
  return {.header = header, .drop = drop};
}
inline Column Right(const char* header, int drop = 0) {
  return {.header = header, .drop = drop, .right = true};
}
inline Column WideOnly(Column column) {
  column.wide_only = true;
  return column;
}

struct Row {
  Json json;
  std::vector<std::string> cells;  // one per column; may hold text that is not clean
};

struct Listing {
  const char* kind;  // "JobList"
  std::vector<Column> columns;
  std::vector<Row> rows;
  const char* name_field = "name";  // what -o name prints
};

// The whole text for standard output. Errors: a field that no item has.
absl::StatusOr<std::string> Render(const Listing& listing, const OutputFormat& format, int columns,
                                   absl::Time now);

// Valid UTF-8 whatever the texts hold. Characters that a terminal obeys are escaped.
std::string DumpJson(const Json& json, int indent = -1);

// Key and value lines for one item; values may hold text that is not clean. Empty values are left
// out.
std::string RenderFacts(const std::vector<std::pair<std::string, std::string>>& facts);

// The error of ux.md 2.7: what, why, fix.
std::string RenderError(const absl::Status& status);
// The same as one JSON object.
std::string RenderErrorJson(const absl::Status& status, int exit_code);

}  // namespace berth

#endif  // BERTH_CLIENT_OUTPUT_H_
