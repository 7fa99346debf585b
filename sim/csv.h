#ifndef BERTH_SIM_CSV_H_
#define BERTH_SIM_CSV_H_

// A table with a header line, read row by row. Every error names the file and the line.

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace berth::sim {

class CsvReader {
 public:
  // Reads the whole file. An error when it cannot be read or has no header.
  static absl::StatusOr<CsvReader> Open(absl::string_view path);
  // The same over a text that is at hand; `name` stands for the file in errors.
  static absl::StatusOr<CsvReader> Parse(absl::string_view name, std::string text);

  // The number of the column of that name.
  absl::StatusOr<int> Column(absl::string_view name) const;
  // -1 when there is none: its fields read as empty.
  int OptionalColumn(absl::string_view name) const;

  // The next row that is not blank; false at the end. A row with more or fewer fields than the
  // header is an error.
  absl::StatusOr<bool> Next();

  absl::string_view Field(int column) const;
  // A non-negative decimal number of seconds, rounded to microseconds.
  absl::StatusOr<int64_t> Microseconds(int column) const;
  // A non-negative whole number of at most `max`.
  absl::StatusOr<int64_t> Integer(int column, int64_t max) const;
  // "FILE:LINE: message".
  absl::Status Error(absl::string_view message) const;

 private:
  CsvReader(absl::string_view name, std::string text) : name_(name), text_(std::move(text)) {}
  bool NextLine(absl::string_view& line);
  absl::Status FieldError(int column, absl::string_view expected) const;

  std::string name_;
  std::string text_;
  size_t at_ = 0;
  int line_ = 0;
  std::vector<std::string> header_;
  std::vector<std::string> fields_;
};

}  // namespace berth::sim

#endif  // BERTH_SIM_CSV_H_
