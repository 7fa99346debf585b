#include "scheduler/convert_array.h"

#include <algorithm>
#include <cstdint>
#include <string>

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

absl::StatusOr<ArrayRange> ReadIndexes(const v1::ArraySpec& array) {
  RETURN_IF_ERROR(CheckRange("the first index of an array", array.first(), 0, kArrayIndexMax));
  RETURN_IF_ERROR(CheckRange("the number of tasks of an array", array.count(), 1, kArrayTasksMax));
  RETURN_IF_ERROR(CheckRange("the step of an array", array.step(), 0, kArrayIndexMax));
  RETURN_IF_ERROR(CheckRange("the number of tasks that run at once", array.concurrent_max(), 0,
                             kArrayTasksMax));
  ArrayRange range;
  range.first = array.first();
  range.count = array.count();
  range.step = std::max(array.step(), 1);
  range.concurrent_max = array.concurrent_max();
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
  const int64_t last = range.first + int64_t{range.count - 1} * range.step;
  RETURN_IF_ERROR(CheckRange("the last index of an array", last, 0, kArrayIndexMax));
  if (combinations > 0 && last >= combinations) {
    return Refused(
        "B1231", absl::StrCat("task ", last, " of the array has no combination of parameters"),
        absl::StrCat("there are ", combinations, " combinations, 0 to ", combinations - 1),
        "choose indexes among these, or leave --array out");
  }
  return range;
}

}  // namespace berth
