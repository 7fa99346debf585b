#include "client/output.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"

#include "client/text.h"
#include "common/error_detail.h"
#include "common/nearest_name.h"
#include "common/status_macros.h"

namespace berth {
namespace {

constexpr int kGapCells = 2;
constexpr int kLastColumnCellsMin = 12;

// The text of a JSON value where a table or CSV shows it.
std::string PlainText(const Json& value) {
  if (value.is_null()) {
    return "";
  }
  if (value.is_string()) {
    return value.get<std::string>();
  }
  if (value.is_array()) {
    std::vector<std::string> parts;
    for (const Json& element : value) {
      parts.push_back(element.is_structured() ? DumpJson(element) : PlainText(element));
    }
    return absl::StrJoin(parts, ",");
  }
  return DumpJson(value);
}

// The value at "end.reason"; null where a part of the way is null.
absl::StatusOr<Json> FieldOf(const Json& item, const std::string& field) {
  const Json* at = &item;
  for (const std::string& part : std::vector<std::string>(absl::StrSplit(field, '.'))) {
    if (at->is_null()) {
      return Json();
    }
    if (!at->is_object() || !at->contains(part)) {
      std::vector<std::string> known;
      for (const auto& [key, value] : item.items()) {
        known.push_back(key);
      }
      const std::string nearest = NearestName(field, known);
      return MakeError(absl::StatusCode::kInvalidArgument,
                       {.code = "B1303",
                        .message = absl::StrCat("there is no field \"", CleanText(field), "\""),
                        .why = absl::StrCat("fields: ", absl::StrJoin(known, " ")),
                        .fix = nearest.empty() ? "" : absl::StrCat("did you mean ", nearest, "?")});
    }
    at = &(*at)[part];
  }
  return *at;
}

struct Table {
  std::vector<Column> columns;
  std::vector<std::vector<std::string>> lines;  // clean cells
};

int CellsOfColumn(const Table& table, size_t column, bool headers) {
  int cells = headers ? DisplayWidth(table.columns[column].header) : 0;
  for (const auto& line : table.lines) {
    cells = std::max(cells, DisplayWidth(line[column]));
  }
  return cells;
}

void RemoveColumn(Table& table, size_t column) {
  table.columns.erase(table.columns.begin() + static_cast<std::ptrdiff_t>(column));
  for (auto& line : table.lines) {
    line.erase(line.begin() + static_cast<std::ptrdiff_t>(column));
  }
}

// Drops columns of low priority until the rest fits, the last column counting its least width.
std::vector<int> FitColumns(Table& table, int limit, bool headers) {
  while (true) {
    std::vector<int> widths;
    int sum = 0;
    for (size_t i = 0; i < table.columns.size(); ++i) {
      widths.push_back(CellsOfColumn(table, i, headers));
      const bool last = i + 1 == table.columns.size();
      sum += (last ? std::min(widths[i], kLastColumnCellsMin) : widths[i]) + (last ? 0 : kGapCells);
    }
    const auto first_to_go =
        std::max_element(table.columns.begin(), table.columns.end(),
                         [](const Column& a, const Column& b) { return a.drop < b.drop; });
    if (sum <= limit || first_to_go == table.columns.end() || first_to_go->drop == 0) {
      if (!widths.empty()) {
        const int others = sum - std::min(widths.back(), kLastColumnCellsMin);
        widths.back() = std::min(widths.back(), std::max(limit - others, kLastColumnCellsMin));
      }
      return widths;
    }
    RemoveColumn(table, static_cast<size_t>(first_to_go - table.columns.begin()));
  }
}

std::string RenderTable(Table table, int limit, bool headers) {
  const std::vector<int> widths = FitColumns(table, limit, headers);
  if (headers) {
    std::vector<std::string> titles;
    for (const Column& column : table.columns) {
      titles.emplace_back(column.header);
    }
    table.lines.insert(table.lines.begin(), std::move(titles));
  }
  std::string out;
  for (const auto& line : table.lines) {
    std::string text;
    for (size_t i = 0; i < line.size(); ++i) {
      const bool last = i + 1 == line.size();
      absl::StrAppend(&text, i == 0 ? "" : std::string(kGapCells, ' '),
                      PadToWidth(last ? CutToWidth(line[i], widths[i]) : line[i], widths[i],
                                 table.columns[i].right));
    }
    absl::StripTrailingAsciiWhitespace(&text);
    absl::StrAppend(&out, text, "\n");
  }
  return out;
}

Table TableOf(const Listing& listing, bool wide) {
  Table table;
  for (const Column& column : listing.columns) {
    if (wide || !column.wide_only) {
      table.columns.push_back(column);
    }
  }
  for (const Row& row : listing.rows) {
    std::vector<std::string> line;
    for (size_t i = 0; i < listing.columns.size(); ++i) {
      if (wide || !listing.columns[i].wide_only) {
        line.push_back(row.cells[i].empty() ? "-" : CleanText(row.cells[i]));
      }
    }
    table.lines.push_back(std::move(line));
  }
  return table;
}

std::string RenderJson(const Listing& listing, absl::Time now) {
  std::string out = absl::StrCat("{\"schema\":\"berth/v1\",\"kind\":\"", listing.kind,
                                 "\",\"generated_at\":\"", Rfc3339(now), "\",\"items\":[");
  const char* separator = "\n";
  for (const Row& row : listing.rows) {
    absl::StrAppend(&out, separator, DumpJson(row.json));
    separator = ",\n";
  }
  return absl::StrCat(out, listing.rows.empty() ? "" : "\n", "]}\n");
}

std::string CsvField(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) {
    return text;
  }
  return absl::StrCat("\"",
                      absl::StrReplaceAll(text,
                                          {
                                              {"\"", "\"\""}
  }),
                      "\"");
}

std::string RenderCsv(const Listing& listing, bool headers) {
  std::string out;
  for (const Row& row : listing.rows) {
    std::vector<std::string> names;
    std::vector<std::string> values;
    for (const auto& [key, value] : row.json.items()) {
      names.push_back(CsvField(key));
      values.push_back(CsvField(PlainText(value)));
    }
    if (headers && out.empty()) {
      absl::StrAppend(&out, absl::StrJoin(names, ","), "\r\n");
    }
    absl::StrAppend(&out, absl::StrJoin(values, ","), "\r\n");
  }
  return out;
}

absl::StatusOr<std::string> RenderFields(const Listing& listing, const OutputFormat& format) {
  Table table;
  std::vector<std::string> titles;
  for (const std::string& field : format.fields) {
    titles.push_back(absl::AsciiStrToUpper(field));
  }
  for (const std::string& title : titles) {
    table.columns.push_back({.header = title.c_str()});
  }
  for (const Row& row : listing.rows) {
    std::vector<std::string> line;
    for (const std::string& field : format.fields) {
      ASSIGN_OR_RETURN(const Json value, FieldOf(row.json, field));
      const std::string text = CleanText(PlainText(value));
      line.push_back(text.empty() ? "-" : text);
    }
    table.lines.push_back(std::move(line));
  }
  constexpr int kUnbounded = 1 << 20;
  return RenderTable(std::move(table), kUnbounded, format.headers);
}

std::string CodeOf(const std::optional<ErrorDetail>& detail) {
  if (detail.has_value() && !detail->code.empty()) {
    return detail->code;
  }
  return "B9001";  // whoever made the error forgot its code
}

// An excerpt of a file ("14 | device = 8") stands by itself; it is no reason.
bool IsExcerpt(absl::string_view line) {
  const size_t bar = line.find(" | ");
  return bar != absl::string_view::npos &&
         line.substr(0, bar).find_first_not_of(" 0123456789") == absl::string_view::npos;
}

}  // namespace

std::string DumpJson(const Json& json, int indent) {
  const std::string text = json.dump(indent, ' ', false, Json::error_handler_t::replace);
  std::string out;
  out.reserve(text.size());
  // The library leaves DEL and the C1 controls, which are C2 80 to C2 9F, as they are. Only texts
  // have any.
  for (size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<uint8_t>(text[i]);
    const auto next = static_cast<uint8_t>(i + 1 < text.size() ? text[i + 1] : 0);
    if (byte == 0x7f) {
      out += "\\u007f";
    } else if (byte == 0xc2 && next < 0xa0) {
      absl::StrAppendFormat(&out, "\\u%04x", next);
      ++i;
    } else {
      out += text[i];
    }
  }
  return out;
}

absl::StatusOr<OutputFormat> ParseOutputFormat(absl::string_view text) {
  static constexpr std::pair<const char*, OutputKind> kKinds[] = {
      {"table", OutputKind::kTable},
      {"wide",  OutputKind::kWide },
      {"json",  OutputKind::kJson },
      {"jsonl", OutputKind::kJsonl},
      {"csv",   OutputKind::kCsv  },
      {"name",  OutputKind::kName }
  };
  OutputFormat format;
  if (text.empty()) {
    return format;
  }
  for (const auto& [name, kind] : kKinds) {
    if (text == name) {
      format.kind = kind;
      return format;
    }
  }
  if (absl::StartsWith(text, "fields=") && text.size() > 7) {
    format.kind = OutputKind::kFields;
    format.fields = absl::StrSplit(text.substr(7), ',', absl::SkipEmpty());
    return format;
  }
  return MakeError(absl::StatusCode::kInvalidArgument,
                   {.code = "B1303",
                    .message = absl::StrCat("\"", CleanText(text), "\" is no output format"),
                    .why = "",
                    .fix = "use -o table, wide, json, jsonl, csv, name or fields=id,state"});
}

absl::StatusOr<std::string> Render(const Listing& listing, const OutputFormat& format, int columns,
                                   absl::Time now) {
  constexpr int kUnbounded = 1 << 20;
  std::string out;
  switch (format.kind) {
    case OutputKind::kTable:
      return RenderTable(TableOf(listing, false), columns, format.headers);
    case OutputKind::kWide:
      return RenderTable(TableOf(listing, true), kUnbounded, format.headers);
    case OutputKind::kJson:
      return RenderJson(listing, now);
    case OutputKind::kJsonl:
      for (const Row& row : listing.rows) {
        absl::StrAppend(&out, DumpJson(row.json), "\n");
      }
      return out;
    case OutputKind::kCsv:
      return RenderCsv(listing, format.headers);
    case OutputKind::kName:
      for (const Row& row : listing.rows) {
        ASSIGN_OR_RETURN(const Json name, FieldOf(row.json, listing.name_field));
        absl::StrAppend(&out, CleanText(PlainText(name)), "\n");
      }
      return out;
    case OutputKind::kFields:
      return RenderFields(listing, format);
  }
  return out;
}

std::string RenderFacts(const std::vector<std::pair<std::string, std::string>>& facts) {
  int cells = 0;
  for (const auto& [key, value] : facts) {
    cells = std::max(cells, value.empty() ? 0 : DisplayWidth(key));
  }
  std::string out;
  for (const auto& [key, value] : facts) {
    if (!value.empty()) {
      absl::StrAppend(&out, PadToWidth(key, cells + kGapCells, false), CleanText(value), "\n");
    }
  }
  return out;
}

std::string RenderError(const absl::Status& status) {
  const auto detail = FindDetail(status);
  std::string out =
      absl::StrCat("error[", CodeOf(detail), "]: ", CleanText(status.message()), "\n");
  if (!detail.has_value()) {
    return out;
  }
  const char* label = "  why:  ";
  for (const std::string& line : detail->why) {
    if (IsExcerpt(line)) {
      absl::StrAppend(&out, "    ", CleanText(line), "\n");
      continue;
    }
    absl::StrAppend(&out, label, CleanText(line), "\n");
    label = "        ";
  }
  label = "  fix:  ";
  for (const std::string& line : detail->fix) {
    absl::StrAppend(&out, label, CleanText(line), "\n");
    label = "        ";
  }
  return out;
}

std::string RenderErrorJson(const absl::Status& status, int exit_code) {
  const auto detail = FindDetail(status);
  const std::string code = CodeOf(detail);
  Json error;
  error["code"] = code;
  error["message"] = std::string(status.message());
  error["why"] = detail.has_value() ? detail->why : std::vector<std::string>();
  error["fix"] = detail.has_value() ? detail->fix : std::vector<std::string>();
  error["retryable"] = detail.has_value() && detail->retryable;
  error["docs"] = absl::StrCat("berth help reasons ", code);
  error["exit_code"] = exit_code;
  return absl::StrCat(DumpJson(error), "\n");
}

}  // namespace berth
