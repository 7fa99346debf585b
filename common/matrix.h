#ifndef BERTH_COMMON_MATRIX_H_
#define BERTH_COMMON_MATRIX_H_

// The parameters of an array's tasks: the task with index i has the i-th combination of all values,
// of which the last parameter's change first. Client, scheduler and agent agree on it here.

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace berth {

// As berth.v1.MatrixParameter.
struct MatrixParameter {
  std::string name;
  std::vector<std::string> values;
};
using Matrix = std::vector<MatrixParameter>;

// From the messages of a specification.
template <typename Messages>
Matrix ToMatrix(const Messages& messages) {
  Matrix matrix;
  for (const auto& message : messages) {
    matrix.push_back({
        message.name(), {message.values().begin(), message.values().end()}
    });
  }
  return matrix;
}

// What is wrong with it, in words; empty: nothing is.
std::string FindMatrixFault(const Matrix& matrix);

// How many there are; more than `most` is told as `most` + 1. No matrix has none.
int64_t CountCombinations(const Matrix& matrix, int64_t most);

// The value of each parameter. Requires: FindMatrixFault finds none, and the index has a
// combination; another index has no values.
std::vector<std::string> CombinationAt(const Matrix& matrix, int64_t index);

// "lr" -> "BERTH_PARAM_LR".
std::string ParameterVariable(absl::string_view name);

}  // namespace berth

#endif  // BERTH_COMMON_MATRIX_H_
