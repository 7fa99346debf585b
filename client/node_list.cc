#include "client/node_list.h"

#include <algorithm>
#include <cstdint>
#include <map>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

#include "client/text.h"
#include "common/status_macros.h"

namespace berth {
namespace {

constexpr size_t kNodesMax = 10'000;
constexpr size_t kDigitsMax = 9;

// Splits at the commas outside of brackets.
std::vector<std::string> SplitOutside(const std::string& text) {
  std::vector<std::string> parts(1);
  int depth = 0;
  for (const char c : text) {
    depth += c == '[' ? 1 : c == ']' ? -1 : 0;
    if (c == ',' && depth == 0) {
      parts.emplace_back();
    } else {
      parts.back() += c;
    }
  }
  return parts;
}

bool IsNumber(const std::string& text) {
  return !text.empty() && text.size() <= kDigitsMax &&
         std::all_of(text.begin(), text.end(),
                     [](char c) { return absl::ascii_isdigit(static_cast<unsigned char>(c)); });
}

std::string Padded(uint32_t number, size_t width) {
  const std::string digits = absl::StrCat(number);
  return std::string(width - std::min(width, digits.size()), '0') + digits;
}

// "01-16" or "18", as wide as its first number is.
absl::Status AddRange(const OptionValue& value, const std::string& range,
                      std::vector<std::string>& numbers) {
  const std::vector<std::string> ends = absl::StrSplit(range, absl::MaxSplits('-', 1));
  uint32_t first = 0;
  uint32_t last = 0;
  if (!IsNumber(ends[0]) || !IsNumber(ends.back()) || !absl::SimpleAtoi(ends[0], &first) ||
      !absl::SimpleAtoi(ends.back(), &last) || last < first || last - first >= kNodesMax) {
    return ValueError(value, absl::StrCat("\"", CleanText(range), "\" is no range of nodes"),
                      "write it like qd-a[01-16]");
  }
  for (uint32_t number = first; number <= last; ++number) {
    numbers.push_back(Padded(number, ends[0].size()));
  }
  return absl::OkStatus();
}

absl::Status AddNodes(const OptionValue& value, const std::string& part,
                      std::vector<std::string>& names) {
  const size_t open = part.find('[');
  if (open == std::string::npos) {
    if (part.empty()) {
      return ValueError(value, absl::StrCat("\"", CleanText(value.text), "\" has an empty part"));
    }
    names.push_back(part);
    return absl::OkStatus();
  }
  const size_t close = part.find(']');
  if (close == std::string::npos || close < open || part.find('[', open + 1) != std::string::npos) {
    return ValueError(value, absl::StrCat("\"", CleanText(part), "\" has no pair of brackets"),
                      "write it like qd-a[01-16]");
  }
  std::vector<std::string> numbers;
  for (const std::string& range :
       std::vector<std::string>(absl::StrSplit(part.substr(open + 1, close - open - 1), ','))) {
    RETURN_IF_ERROR(AddRange(value, range, numbers));
  }
  for (const std::string& number : numbers) {
    names.push_back(absl::StrCat(part.substr(0, open), number, part.substr(close + 1)));
  }
  return absl::OkStatus();
}

// Letters before the last number, its width, and the number; no width: there is none.
struct NumberedName {
  std::string stem;
  size_t width = 0;
  uint32_t number = 0;
};

NumberedName SplitName(const std::string& name) {
  size_t at = name.size();
  while (at > 0 && name.size() - at < kDigitsMax &&
         absl::ascii_isdigit(static_cast<unsigned char>(name[at - 1]))) {
    --at;
  }
  NumberedName split{.stem = name.substr(0, at), .width = name.size() - at};
  if (split.width > 0 && !absl::SimpleAtoi(name.substr(at), &split.number)) {
    return {.stem = name};
  }
  return split;
}

// "01-03,07"
std::string FoldNumbers(const std::vector<uint32_t>& numbers, size_t width) {
  std::vector<std::string> ranges;
  for (size_t begin = 0; begin < numbers.size();) {
    size_t end = begin + 1;
    while (end < numbers.size() && numbers[end] == numbers[end - 1] + 1) {
      ++end;
    }
    ranges.push_back(end - begin == 1 ? Padded(numbers[begin], width)
                                      : absl::StrCat(Padded(numbers[begin], width), "-",
                                                     Padded(numbers[end - 1], width)));
    begin = end;
  }
  return absl::StrJoin(ranges, ",");
}

}  // namespace

absl::StatusOr<std::vector<std::string>> NodesOf(const OptionValue& value) {
  std::vector<std::string> names;
  for (const std::string& part : SplitOutside(value.text)) {
    RETURN_IF_ERROR(AddNodes(value, part, names));
    if (names.size() > kNodesMax) {
      return ValueError(value, absl::StrCat("names more than ", kNodesMax, " nodes"));
    }
  }
  return names;
}

std::string FoldNodes(std::vector<std::string> names) {
  std::sort(names.begin(), names.end());
  std::map<std::pair<std::string, size_t>, std::vector<uint32_t>> groups;
  std::vector<std::string> parts;
  for (const std::string& name : names) {
    const NumberedName split = SplitName(name);
    if (split.width == 0) {
      parts.push_back(name);
    } else {
      groups[{split.stem, split.width}].push_back(split.number);
    }
  }
  for (auto& [place, numbers] : groups) {
    const auto& [stem, width] = place;
    parts.push_back(numbers.size() == 1
                        ? absl::StrCat(stem, Padded(numbers[0], width))
                        : absl::StrCat(stem, "[", FoldNumbers(numbers, width), "]"));
  }
  return absl::StrJoin(parts, ",");
}

}  // namespace berth
