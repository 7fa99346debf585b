#include "common/quantity.h"

#include <cmath>
#include <iterator>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

#include "common/error_detail.h"

namespace berth {
namespace {

constexpr char kQuantityError[] = "B1204";
constexpr absl::Duration kDurationMax = absl::Hours(24 * 36500);
constexpr double kMemoryMibMax = 1e12;

absl::Status QuantityError(absl::string_view message, absl::string_view fix) {
  return MakeError(absl::StatusCode::kInvalidArgument,
                   {.code = kQuantityError, .message = message, .why = "", .fix = fix});
}

struct Unit {
  absl::string_view name;
  absl::Duration length;
};

const std::vector<Unit>& Units() {
  static const auto* const units = new std::vector<Unit>{
      {"ms", absl::Milliseconds(1)},
      {"d",  absl::Hours(24)      },
      {"h",  absl::Hours(1)       },
      {"m",  absl::Minutes(1)     },
      {"s",  absl::Seconds(1)     },
  };
  return *units;
}

// Takes "90" or "1.5" off the front.
std::optional<double> TakeNumber(absl::string_view& text) {
  size_t length = 0;
  while (length < text.size() &&
         (absl::ascii_isdigit(static_cast<unsigned char>(text[length])) || text[length] == '.')) {
    ++length;
  }
  double value = 0;
  if (length == 0 || length > 18 || text[length - 1] == '.' || text[0] == '.' ||
      !absl::SimpleAtod(text.substr(0, length), &value)) {
    return std::nullopt;
  }
  text.remove_prefix(length);
  return value;
}

// Takes a unit off the front; zero if there is none.
absl::Duration TakeUnit(absl::string_view& text) {
  size_t length = 0;
  while (length < text.size() && absl::ascii_isalpha(static_cast<unsigned char>(text[length]))) {
    ++length;
  }
  for (const Unit& unit : Units()) {
    if (text.substr(0, length) == unit.name) {
      text.remove_prefix(length);
      return unit.length;
    }
  }
  return absl::ZeroDuration();
}

// The factor of a memory suffix to MiB; 0 for an unknown one.
double MibPerUnit(absl::string_view suffix) {
  const std::string lower = absl::AsciiStrToLower(suffix);
  constexpr absl::string_view kLetters = "kmgtp";
  if (lower.empty() || (lower.size() > 1 && lower.substr(1) != "b" && lower.substr(1) != "ib")) {
    return 0;
  }
  const size_t power = kLetters.find(lower[0]);
  return power == absl::string_view::npos ? 0 : std::pow(1024.0, static_cast<double>(power) - 1);
}

}  // namespace

absl::StatusOr<absl::Duration> ParseDuration(absl::string_view text) {
  const absl::string_view whole = absl::StripAsciiWhitespace(text);
  absl::string_view rest = whole;
  absl::Duration sum = absl::ZeroDuration();
  absl::Duration last_unit = absl::InfiniteDuration();
  while (!rest.empty() || whole.empty()) {
    const auto number = TakeNumber(rest);
    if (number.has_value() && rest.empty()) {
      return QuantityError(absl::StrCat("\"", whole, "\" has no unit"),
                           absl::StrCat("write ", whole, "s, ", whole, "m or ", whole, "h"));
    }
    const absl::Duration unit = number.has_value() ? TakeUnit(rest) : absl::ZeroDuration();
    if (unit == absl::ZeroDuration() || unit >= last_unit) {
      return QuantityError(absl::StrCat("\"", whole, "\" is not a length of time"),
                           "write it like 90s, 5m, 36h, 2d or 1h30m");
    }
    last_unit = unit;
    sum += unit * *number;
    if (sum > kDurationMax) {
      return QuantityError(absl::StrCat("\"", whole, "\" is longer than a century"), "");
    }
  }
  return sum;
}

std::string FormatDuration(absl::Duration duration) {
  if (duration == absl::InfiniteDuration()) {
    return "unlimited";
  }
  const int64_t milliseconds = absl::ToInt64Milliseconds(duration);
  if (milliseconds == 0) {
    return "0s";
  }
  std::string out = milliseconds < 0 ? "-" : "";
  // The lowest number has no positive one of its type.
  uint64_t rest = static_cast<uint64_t>(milliseconds);
  rest = milliseconds < 0 ? 0 - rest : rest;
  constexpr uint64_t kDayMs = 86'400'000;
  if (rest % kDayMs == 0 && rest > kDayMs) {
    return absl::StrCat(out, rest / kDayMs, "d");
  }
  constexpr std::pair<uint64_t, const char*> kParts[] = {
      {3'600'000, "h" },
      {60'000,    "m" },
      {1000,      "s" },
      {1,         "ms"}
  };
  for (const auto& [length_ms, name] : kParts) {
    if (rest >= length_ms) {
      absl::StrAppend(&out, rest / length_ms, name);
      rest %= length_ms;
    }
  }
  return out;
}

absl::StatusOr<int64_t> ParseMemoryMib(absl::string_view text) {
  const absl::string_view whole = absl::StripAsciiWhitespace(text);
  absl::string_view rest = whole;
  const auto number = TakeNumber(rest);
  if (number.has_value() && rest.empty()) {
    return QuantityError(absl::StrCat("\"", whole, "\" has no unit"),
                         absl::StrCat("write ", whole, "MiB or ", whole, "GiB"));
  }
  const double factor = MibPerUnit(absl::StripLeadingAsciiWhitespace(rest));
  if (!number.has_value() || factor == 0) {
    return QuantityError(absl::StrCat("\"", whole, "\" is not an amount of memory"),
                         "write it like 512MiB, 1.5GiB or 16G");
  }
  const double mib = std::ceil(*number * factor);
  if (mib > kMemoryMibMax) {
    return QuantityError(absl::StrCat("\"", whole, "\" is more memory than exists"), "");
  }
  return static_cast<int64_t>(mib);
}

std::string FormatSize(int64_t bytes) {
  constexpr const char* kUnits[] = {"KiB", "MiB", "GiB", "TiB"};
  if (bytes < 1024) {
    return absl::StrCat(bytes, " B");
  }
  double size = static_cast<double>(bytes) / 1024;
  size_t unit = 0;
  for (; size >= 1023.5 && unit + 1 < std::size(kUnits); ++unit) {
    size /= 1024;
  }
  return size < 9.95 ? absl::StrFormat("%.1f %s", size, kUnits[unit])
                     : absl::StrFormat("%.0f %s", size, kUnits[unit]);
}

}  // namespace berth
