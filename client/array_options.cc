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

// The command line replaces a parameter of the file.
absl::StatusOr<Matrix> ReadMatrix(const Arguments& arguments) {
  Matrix matrix;
  std::vector<bool> from_file;
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

// FIRST-LAST[:STEP][%AT_ONCE], or one index. With a matrix the range may be left out, and selects
// among its combinations otherwise.
absl::Status ReadRange(const OptionValue& option, int64_t combinations, v1::ArraySpec& array) {
  const auto refuse = [&option](absl::string_view why) {
    return ValueError(option, absl::StrCat("\"", CleanText(option.text), "\" ", why),
                      "write it like 0-99, 0-98:2 or 0-99%8 (at most 8 at a time)");
  };
  const std::vector<std::string> halves = absl::StrSplit(option.text, absl::MaxSplits('%', 1));
  const std::vector<std::string> parts = absl::StrSplit(halves[0], absl::MaxSplits(':', 1));
  const std::vector<std::string> ends = absl::StrSplit(parts[0], absl::MaxSplits('-', 1));
  int32_t first = 0;
  auto last = static_cast<int32_t>(combinations - 1);
  int32_t step = 1;
  int32_t at_once = 0;
  const bool all = halves.size() == 2 && halves[0].empty() && combinations > 0;
  const bool indexes =
      all || (absl::SimpleAtoi(ends[0], &first) && absl::SimpleAtoi(ends.back(), &last) &&
              (parts.size() == 1 || absl::SimpleAtoi(parts[1], &step)));
  if (!indexes || (halves.size() == 2 && !absl::SimpleAtoi(halves[1], &at_once))) {
    return refuse("is no range of indexes");
  }
  if (first < 0 || last < first || last > kArrayIndexMax) {
    return refuse("is empty or too large");
  }
  if (step < 1 || (halves.size() == 2 && at_once < 1)) {
    return refuse("has a step or a bound below 1");
  }
  array.set_first(first);
  array.set_count((last - first) / step + 1);
  array.set_step(step);
  array.set_concurrent_max(at_once);
  if (array.count() > kArrayTasksMax) {
    return refuse(absl::StrCat("has ", array.count(), " tasks; the most is ", kArrayTasksMax));
  }
  if (combinations > 0 && first + int64_t{array.count() - 1} * step >= combinations) {
    return ValueError(
        option,
        absl::StrCat("\"", CleanText(option.text), "\" goes beyond the matrix, which has ",
                     combinations, combinations == 1 ? " combination" : " combinations"),
        absl::StrCat("choose among 0-", combinations - 1,
                     ", or write %8 alone to bound how many "
                     "run at once"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status ReadArray(const Arguments& arguments, v1::JobSpec& spec) {
  ASSIGN_OR_RETURN(Matrix matrix, ReadMatrix(arguments));
  const int64_t combinations = CountCombinations(matrix, kArrayTasksMax);
  for (MatrixParameter& parameter : matrix) {
    v1::MatrixParameter& out = *spec.add_matrix();
    out.set_name(std::move(parameter.name));
    out.mutable_values()->Assign(parameter.values.begin(), parameter.values.end());
  }
  if (const OptionValue* const option = arguments.Find("array"); option != nullptr) {
    return ReadRange(*option, combinations, *spec.mutable_array());
  }
  if (combinations > 0) {
    spec.mutable_array()->set_count(static_cast<int32_t>(combinations));
    spec.mutable_array()->set_step(1);
  }
  return absl::OkStatus();
}

}  // namespace berth
