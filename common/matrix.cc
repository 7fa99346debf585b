#include "common/matrix.h"

#include <algorithm>
#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

namespace berth {
namespace {

constexpr size_t kNameBytesMax = 64;
constexpr size_t kMatrixBytesMax = 64 << 10;

bool IsName(absl::string_view name) {
  return !name.empty() && name.size() <= kNameBytesMax &&
         std::all_of(name.begin(), name.end(),
                     [](unsigned char c) { return absl::ascii_isalnum(c) || c == '_'; });
}

std::string FindValuesFault(const MatrixParameter& parameter) {
  if (parameter.values.empty()) {
    return absl::StrCat("parameter \"", parameter.name, "\" has no values");
  }
  std::set<absl::string_view> seen;
  for (const std::string& value : parameter.values) {
    if (value.empty()) {
      return absl::StrCat("parameter \"", parameter.name, "\" has an empty value");
    }
    if (std::any_of(value.begin(), value.end(),
                    [](unsigned char c) { return absl::ascii_iscntrl(c); })) {
      return absl::StrCat("a value of parameter \"", parameter.name, "\" holds control characters");
    }
    if (!seen.insert(value).second) {
      return absl::StrCat("parameter \"", parameter.name, "\" has the value \"",
                          absl::string_view(value).substr(0, kNameBytesMax), "\" twice");
    }
  }
  return "";
}

}  // namespace

std::string FindMatrixFault(const Matrix& matrix) {
  std::set<std::string> variables;
  size_t bytes = 0;
  for (const MatrixParameter& parameter : matrix) {
    if (!IsName(parameter.name)) {
      return absl::StrCat("a parameter's name is 1 to ", kNameBytesMax, " letters, digits and '_'");
    }
    if (!variables.insert(ParameterVariable(parameter.name)).second) {
      return absl::StrCat("two parameters would be ", ParameterVariable(parameter.name));
    }
    if (std::string fault = FindValuesFault(parameter); !fault.empty()) {
      return fault;
    }
    bytes += parameter.name.size() + 1;
    for (const std::string& value : parameter.values) {
      bytes += value.size() + 1;
    }
  }
  return bytes <= kMatrixBytesMax
             ? ""
             : absl::StrCat("the parameters have ", bytes, " bytes with their values; the most is ",
                            kMatrixBytesMax);
}

int64_t CountCombinations(const Matrix& matrix, int64_t most) {
  int64_t count = matrix.empty() ? 0 : 1;
  for (const MatrixParameter& parameter : matrix) {
    count = std::min(count * static_cast<int64_t>(parameter.values.size()), most + 1);
  }
  return count;
}

std::vector<std::string> CombinationAt(const Matrix& matrix, int64_t index) {
  std::vector<std::string> values(matrix.size());
  for (size_t i = matrix.size(); i > 0; --i) {
    const std::vector<std::string>& of_one = matrix[i - 1].values;
    if (index < 0 || of_one.empty()) {
      return {};
    }
    const auto count = static_cast<int64_t>(of_one.size());
    values[i - 1] = of_one[static_cast<size_t>(index % count)];
    index /= count;
  }
  return index == 0 ? values : std::vector<std::string>();
}

std::string ParameterVariable(absl::string_view name) {
  return absl::StrCat("BERTH_PARAM_", absl::AsciiStrToUpper(name));
}

}  // namespace berth
