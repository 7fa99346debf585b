#include "scheduler/convert_array.h"

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

#include "common/matrix.h"
#include "common/status_macros.h"
#include "scheduler/convert_gang.h"
#include "scheduler/convert_text.h"

namespace berth {
namespace {

constexpr int kArrayTasksMax = 1000 * 1000;
constexpr int kArrayIndexMax = 1000 * 1000 * 1000;

// How many combinations the matrix has; 0: there is none.
absl::StatusOr<int64_t> ReadMatrix(const v1::JobSpec& spec) {
  const Matrix matrix = ToMatrix(spec.matrix());
  if (const std::string fault = FindMatrixFault(matrix); !fault.empty()) {
    return Refused("B1231", fault, "each task finds its values in BERTH_PARAM_<NAME>",
                   "--matrix lr=1e-4,3e-4 --matrix seed=1..3");
  }
  const int64_t combinations = CountCombinations(matrix, kArrayTasksMax);
  if (combinations > kArrayTasksMax) {
    return Refused("B1231",
                   absl::StrCat("the parameters have more than ", kArrayTasksMax, " combinations"),
                   "each combination is a task of the array", "leave some values out");
  }
  return combinations;
}

// Of an ArraySpec or an IndexRange, which have the same fields.
template <typename Message>
absl::StatusOr<IndexRange> ToIndexRange(const Message& message) {
  RETURN_IF_ERROR(CheckRange("the first index of an array", message.first(), 0, kArrayIndexMax));
  RETURN_IF_ERROR(
      CheckRange("the number of tasks of an array", message.count(), 1, kArrayTasksMax));
  RETURN_IF_ERROR(CheckRange("the step of an array", message.step(), 0, kArrayIndexMax));
  const IndexRange range{message.first(), message.count(), std::max(message.step(), 1)};
  RETURN_IF_ERROR(CheckRange("the last index of an array", range.last(), 0, kArrayIndexMax));
  return range;
}

absl::StatusOr<ArrayRange> ReadRanges(const v1::ArraySpec& array) {
  if (array.ranges().empty()) {
    ASSIGN_OR_RETURN(const IndexRange range, ToIndexRange(array));
    return MakeArrayRange({range});
  }
  if (array.first() != 0 || array.count() != 0 || array.step() != 0) {
    return Refused("B1206", "an array has both one range of indexes and several",
                   "its indexes are said in one way", "name the ranges alone");
  }
  ASSIGN_OR_RETURN(std::vector<IndexRange> ranges, ToIndexRanges(array.ranges()));
  return MakeArrayRange(std::move(ranges));
}

absl::StatusOr<ArrayRange> ReadIndexes(const v1::ArraySpec& array) {
  ASSIGN_OR_RETURN(ArrayRange range, ReadRanges(array));
  RETURN_IF_ERROR(CheckRange("the number of tasks of an array", range.count, 1, kArrayTasksMax));
  RETURN_IF_ERROR(CheckRange("the number of tasks that run at once", array.concurrent_max(), 0,
                             kArrayTasksMax));
  RETURN_IF_ERROR(
      CheckRange("the number of tasks that may fail", array.fails_max(), 0, kArrayTasksMax));
  range.concurrent_max = array.concurrent_max();
  range.fails_max = array.fails_max();
  return range;
}

}  // namespace

absl::StatusOr<ArrayRange> ToArrayRange(const v1::JobSpec& spec) {
  ASSIGN_OR_RETURN(const int64_t combinations, ReadMatrix(spec));
  if (!spec.has_array()) {
    ArrayRange range;
    range.count = static_cast<int>(combinations);
    return range;
  }
  ASSIGN_OR_RETURN(const ArrayRange range, ReadIndexes(spec.array()));
  const int last = range.IndexAt(range.count - 1);
  if (combinations > 0 && last >= combinations) {
    return Refused(
        "B1231", absl::StrCat("task ", last, " of the array has no combination of parameters"),
        absl::StrCat("there are ", combinations, " combinations, 0 to ", combinations - 1),
        "choose indexes among these, or leave --array out");
  }
  return range;
}

absl::StatusOr<std::vector<IndexRange>> ToIndexRanges(
    const google::protobuf::RepeatedPtrField<v1::IndexRange>& messages) {
  RETURN_IF_ERROR(
      CheckRange("the number of ranges of an array", messages.size(), 1, kIndexRangesMax));
  std::vector<IndexRange> ranges;
  for (const v1::IndexRange& message : messages) {
    ASSIGN_OR_RETURN(const IndexRange range, ToIndexRange(message));
    ranges.push_back(range);
  }
  if (const std::string fault = FindRangeFault(MakeArrayRange(ranges)); !fault.empty()) {
    return Refused("B1206", fault, "the indexes of an array ascend", "write them like 1,3,5-7");
  }
  return ranges;
}

}  // namespace berth
