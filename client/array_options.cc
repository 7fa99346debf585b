#include "client/array_options.h"

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

#include "client/text.h"
#include "common/matrix.h"
#include "common/status_macros.h"

namespace berth {
namespace {

constexpr int kArrayTasksMax = 1000 * 1000;
constexpr int kArrayIndexMax = 1000 * 1000 * 1000;
// More do not fit into the bytes that a matrix may have.
constexpr uint64_t kSeriesMax = 64 << 10;

// Appends what a part between commas stands for: itself, or the numbers of FIRST..LAST.
absl::Status AppendValues(const OptionValue& option, const std::string& part,
                          MatrixParameter& parameter) {
  const std::vector<std::string> ends = absl::StrSplit(part, absl::MaxSplits("..", 1));
  int64_t first = 0;
  int64_t last = 0;
  if (ends.size() < 2 || !absl::SimpleAtoi(ends[0], &first) || !absl::SimpleAtoi(ends[1], &last)) {
    parameter.values.push_back(part);
    return absl::OkStatus();
  }
  // Zeros and signs before a number would be lost.
  if (absl::StrCat(first, "..", last) != part || last < first ||
      static_cast<uint64_t>(last) - static_cast<uint64_t>(first) >= kSeriesMax) {
    return ValueError(option, absl::StrCat("\"", CleanText(part), "\" is no series of numbers"),
                      "write it like 1..9, without zeros before the numbers, or write the values "
                      "out");
  }
  for (uint64_t i = 0; i <= static_cast<uint64_t>(last - first); ++i) {
    parameter.values.push_back(absl::StrCat(first + static_cast<int64_t>(i)));
  }
  return absl::OkStatus();
}

// NAME=VALUE,VALUE,...
absl::StatusOr<MatrixParameter> ParameterOf(const OptionValue& option) {
  const size_t equals = option.text.find('=');
  if (equals == std::string::npos) {
    return ValueError(option, absl::StrCat("\"", CleanText(option.text), "\" is not NAME=VALUES"),
                      "write it like lr=1e-4,3e-4 or seed=1..3");
  }
  if (CleanText(option.text) != option.text) {
    return ValueError(option, "holds control characters or broken UTF-8");
  }
  MatrixParameter parameter{.name = option.text.substr(0, equals), .values = {}};
  for (const std::string& part :
       std::vector<std::string>(absl::StrSplit(option.text.substr(equals + 1), ','))) {
    RETURN_IF_ERROR(AppendValues(option, part, parameter));
  }
  return parameter;
}

// The command line replaces a parameter of the file, and either one that the job has.
absl::StatusOr<Matrix> ReadMatrix(const Arguments& arguments, Matrix matrix) {
  std::vector<bool> from_file(matrix.size(), true);
  for (const OptionValue* const option : arguments.All("matrix")) {
    ASSIGN_OR_RETURN(MatrixParameter parameter, ParameterOf(*option));
    const bool in_file = !option->origin.file.empty();
    const auto same = std::find_if(matrix.begin(), matrix.end(), [&](const auto& known) {
      return ParameterVariable(known.name) == ParameterVariable(parameter.name);
    });
    const auto at = static_cast<size_t>(same - matrix.begin());
    if (same != matrix.end() && from_file[at] && !in_file) {
      *same = std::move(parameter);
      from_file[at] = false;
    } else {
      matrix.push_back(std::move(parameter));
      from_file.push_back(in_file);
    }
    if (const std::string fault = FindMatrixFault(matrix); !fault.empty()) {
      return ValueError(*option, fault, "write it like lr=1e-4,3e-4 or seed=1..3");
    }
    if (CountCombinations(matrix, kArrayTasksMax) > kArrayTasksMax) {
      return ValueError(
          *option, absl::StrCat("makes more than ", kArrayTasksMax, " combinations of values"));
    }
  }
  return matrix;
}

absl::Status Refuse(const OptionValue& option, absl::string_view why) {
  return ValueError(option, absl::StrCat("\"", CleanText(option.text), "\" ", why),
                    "write it like 0-99, 0-98:2, 1,3,5-7 or 0-99%8 (at most 8 at a time)");
}

// FIRST-LAST[:STEP], or one index.
absl::StatusOr<v1::IndexRange> RangeOf(const std::string& text) {
  const std::vector<std::string> parts = absl::StrSplit(text, absl::MaxSplits(':', 1));
  const std::vector<std::string> ends = absl::StrSplit(parts[0], absl::MaxSplits('-', 1));
  int32_t first = 0;
  int32_t last = 0;
  int32_t step = 1;
  if (!absl::SimpleAtoi(ends[0], &first) || !absl::SimpleAtoi(ends.back(), &last) ||
      (parts.size() == 2 && !absl::SimpleAtoi(parts[1], &step))) {
    return absl::InvalidArgumentError("is no range of indexes");
  }
  if (first < 0 || last < first || last > kArrayIndexMax) {
    return absl::InvalidArgumentError("is empty or too large");
  }
  if (step < 1) {
    return absl::InvalidArgumentError("has a step below 1");
  }
  v1::IndexRange range;
  range.set_first(first);
  range.set_count((last - first) / step + 1);
  range.set_step(step);
  return range;
}

int64_t LastOf(const v1::IndexRange& range) {
  return range.first() + (int64_t{range.count()} - 1) * range.step();
}

void SetAllCombinations(int64_t combinations, v1::ArraySpec& array) {
  v1::IndexRange all;
  all.set_count(static_cast<int32_t>(combinations));
  all.set_step(1);
  SetRanges({all}, array);
}

// The indexes and, behind '%', how many tasks run at once. Of an array that has its indexes they
// may be left out. With a matrix they select among its combinations.
absl::Status ReadIndexes(const OptionValue& option, int64_t combinations, v1::ArraySpec& array) {
  const std::vector<std::string> halves = absl::StrSplit(option.text, absl::MaxSplits('%', 1));
  int32_t at_once = 0;
  if (halves.size() == 2 && !absl::SimpleAtoi(halves[1], &at_once)) {
    return Refuse(option, "is no range of indexes");
  }
  if (halves.size() == 2 && at_once < 1) {
    return Refuse(option, "has a bound below 1");
  }
  array.set_concurrent_max(at_once);
  if (halves.size() == 2 && halves[0].empty() && CountTasks(array) > 0) {
    return absl::OkStatus();
  }
  const absl::StatusOr<std::vector<v1::IndexRange>> ranges = ParseRanges(halves[0]);
  if (!ranges.ok()) {
    return Refuse(option, ranges.status().message());
  }
  SetRanges(*ranges, array);
  if (CountTasks(array) > kArrayTasksMax) {
    return Refuse(option,
                  absl::StrCat("has ", CountTasks(array), " tasks; the most is ", kArrayTasksMax));
  }
  const int64_t last = LastOf(RangesOf(array).back());
  if (combinations > 0 && last >= combinations) {
    return ValueError(
        option,
        absl::StrCat("\"", CleanText(option.text), "\" goes beyond the matrix, which has ",
                     combinations, combinations == 1 ? " combination" : " combinations"),
        absl::StrCat("choose among 0-", combinations - 1,
                     ", or write %8 alone to bound how many run at once"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<v1::IndexRange>> ParseRanges(const std::string& text) {
  std::vector<v1::IndexRange> ranges;
  int64_t behind = -1;
  for (const std::string& part : std::vector<std::string>(absl::StrSplit(text, ','))) {
    ASSIGN_OR_RETURN(const v1::IndexRange range, RangeOf(part));
    if (range.first() <= behind) {
      return absl::InvalidArgumentError(
          "names its indexes in another order than ascending, or twice");
    }
    behind = LastOf(range);
    ranges.push_back(range);
  }
  return ranges;
}

std::vector<v1::IndexRange> RangesOf(const v1::ArraySpec& array) {
  if (array.ranges_size() > 0) {
    return {array.ranges().begin(), array.ranges().end()};
  }
  v1::IndexRange range;
  range.set_first(array.first());
  range.set_count(array.count());
  range.set_step(std::max(array.step(), 1));
  return {range};
}

void SetRanges(const std::vector<v1::IndexRange>& ranges, v1::ArraySpec& array) {
  array.clear_ranges();
  if (ranges.size() > 1) {
    array.mutable_ranges()->Assign(ranges.begin(), ranges.end());
    array.clear_first();
    array.clear_count();
    array.clear_step();
    return;
  }
  array.set_first(ranges[0].first());
  array.set_count(ranges[0].count());
  array.set_step(ranges[0].step());
}

int64_t CountTasks(const v1::ArraySpec& array) {
  int64_t count = 0;
  for (const v1::IndexRange& range : RangesOf(array)) {
    count += range.count();
  }
  return count;
}

absl::Status ReadArray(const Arguments& arguments, v1::JobSpec& spec) {
  ASSIGN_OR_RETURN(Matrix matrix, ReadMatrix(arguments, ToMatrix(spec.matrix())));
  const int64_t combinations = CountCombinations(matrix, kArrayTasksMax);
  if (arguments.Has("matrix")) {
    spec.clear_matrix();
    for (MatrixParameter& parameter : matrix) {
      v1::MatrixParameter& out = *spec.add_matrix();
      out.set_name(std::move(parameter.name));
      out.mutable_values()->Assign(parameter.values.begin(), parameter.values.end());
    }
    // An index means another combination now.
    SetAllCombinations(combinations, *spec.mutable_array());
  }
  if (const OptionValue* const option = arguments.Find("array"); option != nullptr) {
    RETURN_IF_ERROR(ReadIndexes(*option, combinations, *spec.mutable_array()));
  }
  if (const OptionValue* const option = arguments.Find("max-fails"); option != nullptr) {
    if (!spec.has_array()) {
      return ValueError(*option, "counts failed tasks, but the job has none",
                        "give it with --array or --matrix");
    }
    ASSIGN_OR_RETURN(const int64_t fails_max, IntegerOf(*option, 1, kArrayTasksMax));
    spec.mutable_array()->set_fails_max(static_cast<int32_t>(fails_max));
  }
  return absl::OkStatus();
}

}  // namespace berth
