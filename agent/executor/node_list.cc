#include "agent/executor/node_list.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"

namespace berth {
namespace {

// More digits than these are a part of the name, not a number.
constexpr size_t kDigitsMax = 15;

// "gpu-07.rack2" is {"gpu-", "07", ".rack2"}; without a number all of it is the prefix.
struct NumberedName {
  std::string prefix;
  std::string digits;
  std::string suffix;
};

NumberedName Split(const std::string& name) {
  size_t end = std::min(name.find('.'), name.size());
  while (end > 0 && !absl::ascii_isdigit(static_cast<unsigned char>(name[end - 1]))) {
    --end;
  }
  size_t begin = end;
  while (begin > 0 && absl::ascii_isdigit(static_cast<unsigned char>(name[begin - 1]))) {
    --begin;
  }
  if (begin == end || end - begin > kDigitsMax) {
    return {.prefix = name};
  }
  return {name.substr(0, begin), name.substr(begin, end - begin), name.substr(end)};
}

// The next number, written as wide: "09" -> "10", "9" -> "10".
std::string Next(const std::string& digits) {
  int64_t number = 0;
  if (!absl::SimpleAtoi(digits, &number)) {
    return "";
  }
  return absl::StrFormat("%0*d", static_cast<int>(digits.size()), number + 1);
}

struct Range {
  std::string first;
  std::string last;
};

// Names of one prefix and suffix, one after the other in the list.
struct Family {
  NumberedName name;  // of the first
  std::vector<Range> ranges;
};

bool Continues(const Family& family, const NumberedName& name) {
  return !family.name.digits.empty() && !name.digits.empty() && family.name.prefix == name.prefix &&
         family.name.suffix == name.suffix;
}

std::string Format(const Family& family) {
  std::vector<std::string> parts;
  for (const Range& range : family.ranges) {
    parts.push_back(range.first == range.last ? range.first
                                              : absl::StrCat(range.first, "-", range.last));
  }
  const bool is_one = family.ranges.size() == 1 && family.ranges[0].first == family.ranges[0].last;
  const std::string numbers = absl::StrJoin(parts, ",");
  return absl::StrCat(family.name.prefix, is_one ? numbers : absl::StrCat("[", numbers, "]"),
                      family.name.suffix);
}

}  // namespace

std::string CompressNodeList(const std::vector<std::string>& names) {
  std::vector<Family> families;
  for (const std::string& text : names) {
    NumberedName name = Split(text);
    const std::string digits = name.digits;
    if (families.empty() || !Continues(families.back(), name)) {
      families.push_back({std::move(name), {{digits, digits}}});
    } else if (Range& range = families.back().ranges.back(); digits == Next(range.last)) {
      range.last = digits;
    } else {
      families.back().ranges.push_back({digits, digits});
    }
  }
  return absl::StrJoin(families, ",",
                       [](std::string* out, const Family& family) { out->append(Format(family)); });
}

}  // namespace berth
