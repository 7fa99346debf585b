#include "sim/csv.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"

#include "common/status_macros.h"

namespace berth::sim {
namespace {

constexpr int64_t kMicrosecondsPerSecond = 1000000;
constexpr double kSecondsMax = 1e10;  // so that sums of microseconds stay inside 64 bits

// A field may stand in quotes; a doubled quote inside is one. False when a quote is left open.
bool Split(absl::string_view line, std::vector<std::string>& fields) {
  fields.assign(1, "");
  bool quoted = false;
  for (size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (quoted && c == '"' && i + 1 < line.size() && line[i + 1] == '"') {
      fields.back() += '"';
      ++i;
    } else if (c == '"') {
      quoted = !quoted;
    } else if (c == ',' && !quoted) {
      fields.emplace_back();
    } else {
      fields.back() += c;
    }
  }
  return !quoted;
}

}  // namespace

absl::StatusOr<CsvReader> CsvReader::Open(absl::string_view path) {
  const std::string name(path);
  const std::unique_ptr<FILE, int (*)(FILE*)> file(std::fopen(name.c_str(), "rb"), std::fclose);
  std::string text;
  char buffer[1 << 16];
  for (size_t count = 1; file != nullptr && count > 0;) {
    count = std::fread(buffer, 1, sizeof(buffer), file.get());
    text.append(buffer, count);
  }
  if (file == nullptr || std::ferror(file.get()) != 0) {
    return absl::NotFoundError(absl::StrCat(path, ": cannot be read (", std::strerror(errno),
                                            "); give the path of a CSV file"));
  }
  return Parse(path, std::move(text));
}

absl::StatusOr<CsvReader> CsvReader::Parse(absl::string_view name, std::string text) {
  CsvReader reader(name, std::move(text));
  absl::string_view line;
  do {
    if (!reader.NextLine(line)) {
      return absl::InvalidArgumentError(
          absl::StrCat(name, ":1: the file is empty; it must begin with a line of column names"));
    }
  } while (line.empty());
  if (!Split(absl::StripPrefix(line, "\xef\xbb\xbf"), reader.header_)) {
    return reader.Error("a quote is not closed");
  }
  return reader;
}

bool CsvReader::NextLine(absl::string_view& line) {
  if (at_ >= text_.size()) {
    return false;
  }
  const size_t end = std::min(text_.find('\n', at_), text_.size());
  line = absl::StripAsciiWhitespace(absl::string_view(text_).substr(at_, end - at_));
  at_ = end + 1;
  ++line_;
  return true;
}

absl::StatusOr<int> CsvReader::Column(absl::string_view name) const {
  const int column = OptionalColumn(name);
  if (column < 0) {
    return Error(absl::StrCat("column \"", name, "\" is missing; the file has ",
                              absl::StrJoin(header_, ",")));
  }
  return column;
}

int CsvReader::OptionalColumn(absl::string_view name) const {
  for (size_t i = 0; i < header_.size(); ++i) {
    if (absl::StripAsciiWhitespace(header_[i]) == name) {
      return static_cast<int>(i);
    }
  }
  return -1;
}

absl::StatusOr<bool> CsvReader::Next() {
  absl::string_view line;
  do {
    if (!NextLine(line)) {
      return false;
    }
  } while (line.empty());
  if (!Split(line, fields_)) {
    return Error("a quote is not closed");
  }
  if (fields_.size() != header_.size()) {
    return Error(absl::StrCat("has ", fields_.size(), " fields, the header has ", header_.size()));
  }
  return true;
}

absl::string_view CsvReader::Field(int column) const {
  return column < 0 ? "" : absl::StripAsciiWhitespace(fields_[static_cast<size_t>(column)]);
}

absl::StatusOr<int64_t> CsvReader::Microseconds(int column) const {
  const absl::string_view field = Field(column);
  double seconds = 0;
  // The comparison is false for what is not a number.
  if (!absl::SimpleAtod(field, &seconds) || !(seconds >= 0 && seconds <= kSecondsMax)) {
    return FieldError(column, "a number of seconds from 0 to 1e10");
  }
  return static_cast<int64_t>(seconds * kMicrosecondsPerSecond + 0.5);
}

absl::StatusOr<int64_t> CsvReader::Integer(int column, int64_t max) const {
  int64_t value = 0;
  if (!absl::SimpleAtoi(Field(column), &value) || value < 0 || value > max) {
    return FieldError(column, absl::StrCat("a whole number from 0 to ", max));
  }
  return value;
}

absl::Status CsvReader::Error(absl::string_view message) const {
  return absl::InvalidArgumentError(absl::StrCat(name_, ":", line_, ": ", message));
}

absl::Status CsvReader::FieldError(int column, absl::string_view expected) const {
  return Error(absl::StrCat(header_[static_cast<size_t>(column)], " is \"", Field(column),
                            "\"; it must be ", expected));
}

}  // namespace berth::sim
