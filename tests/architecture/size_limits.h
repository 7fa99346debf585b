#ifndef BERTH_TESTS_ARCHITECTURE_SIZE_LIMITS_H_
#define BERTH_TESTS_ARCHITECTURE_SIZE_LIMITS_H_

// Bounds of files and functions, by a scanner of braces that knows just enough C++ for this tree.

#include <string>
#include <vector>

#include "tests/architecture/source_text.h"

namespace berth::architecture {

inline constexpr int kFileLinesMax = 600;
inline constexpr int kFunctionLinesMax = 60;
inline constexpr int kParametersMax = 5;

// A function's definition.
struct FunctionShape {
  std::string name;
  int line = 0;
  int body_lines = 0;  // from the opening to the closing brace
  int parameters = 0;
};

std::vector<FunctionShape> FindFunctions(const std::string& text);

std::vector<Violation> CheckSizes(const std::vector<SourceFile>& files);

}  // namespace berth::architecture

#endif  // BERTH_TESTS_ARCHITECTURE_SIZE_LIMITS_H_
