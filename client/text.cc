#include "client/text.h"

#include <cstdint>
#include <iterator>

#include "absl/strings/str_cat.h"

namespace berth {
namespace {

struct Range {
  uint32_t first;
  uint32_t last;
};

template <size_t kCount>
bool IsIn(const Range (&ranges)[kCount], uint32_t code) {
  for (const Range& range : ranges) {
    if (code >= range.first && code <= range.last) {
      return true;
    }
  }
  return false;
}

// Controls, and marks that change the direction or hide what follows.
bool IsUnsafe(uint32_t code) {
  static constexpr Range kUnsafe[] = {
      {0x00,   0x1f  },
      {0x7f,   0x9f  },
      {0x61c,  0x61c },
      {0x200b, 0x200f},
      {0x2028, 0x202e},
      {0x2060, 0x206f},
      {0xfeff, 0xfeff},
  };
  return IsIn(kUnsafe, code);
}

int CellsOf(uint32_t code) {
  static constexpr Range kCombining[] = {
      {0x300,   0x36f  },
      {0x483,   0x489  },
      {0x591,   0x5bd  },
      {0x1ab0,  0x1aff },
      {0x1dc0,  0x1dff },
      {0x20d0,  0x20ff },
      {0x302a,  0x302d },
      {0x3099,  0x309a },
      {0xfe00,  0xfe0f },
      {0xfe20,  0xfe2f },
      {0xe0100, 0xe01ef},
  };
  static constexpr Range kWide[] = {
      {0x1100,  0x115f },
      {0x2329,  0x232a },
      {0x2e80,  0x303e },
      {0x3041,  0x33ff },
      {0x3400,  0x4dbf },
      {0x4e00,  0x9fff },
      {0xa000,  0xa4cf },
      {0xa960,  0xa97f },
      {0xac00,  0xd7a3 },
      {0xf900,  0xfaff },
      {0xfe30,  0xfe6f },
      {0xff00,  0xff60 },
      {0xffe0,  0xffe6 },
      {0x1f300, 0x1f64f},
      {0x1f680, 0x1f6ff},
      {0x1f900, 0x1f9ff},
      {0x20000, 0x3fffd},
  };
  return IsIn(kCombining, code) ? 0 : IsIn(kWide, code) ? 2 : 1;
}

}  // namespace

uint32_t TakeCodePoint(absl::string_view& text) {
  const auto first = static_cast<uint8_t>(text[0]);
  const size_t length = first < 0x80 ? 1 : first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0x80) {
    text.remove_prefix(1);
    return first;
  }
  uint32_t code = first & (0x7fU >> length);
  bool good = first >= 0xc2 && first <= 0xf4 && text.size() >= length;
  for (size_t i = 1; good && i < length; ++i) {
    const auto next = static_cast<uint8_t>(text[i]);
    good = (next & 0xc0U) == 0x80;
    code = (code << 6U) | (next & 0x3fU);
  }
  constexpr uint32_t kLeast[] = {0, 0, 0x80, 0x800, 0x10000};
  good = good && code >= kLeast[length] && code <= 0x10ffff && (code < 0xd800 || code > 0xdfff);
  text.remove_prefix(good ? length : 1);
  return good ? code : kBrokenCodePoint;
}

std::string CleanText(absl::string_view text) {
  std::string clean;
  clean.reserve(text.size());
  while (!text.empty()) {
    const absl::string_view before = text;
    const uint32_t code = TakeCodePoint(text);
    if (code == '\t') {
      clean.push_back(' ');
    } else if (code == kBrokenCodePoint) {
      clean.append("\xef\xbf\xbd");
    } else if (IsUnsafe(code)) {
      absl::StrAppend(&clean, code < 0x100 ? "\\x" : "\\u",
                      absl::Hex(code, code < 0x100 ? absl::kZeroPad2 : absl::kZeroPad4));
    } else {
      clean.append(before.data(), before.size() - text.size());
    }
  }
  return clean;
}

int DisplayWidth(absl::string_view text) {
  int cells = 0;
  while (!text.empty()) {
    cells += CellsOf(TakeCodePoint(text));
  }
  return cells;
}

std::string CutToWidth(absl::string_view text, int cells) {
  if (DisplayWidth(text) <= cells) {
    return std::string(text);
  }
  int used = 0;
  absl::string_view rest = text;
  while (!rest.empty()) {
    absl::string_view after = rest;
    const int width = CellsOf(TakeCodePoint(after));
    if (used + width > cells - 1) {
      break;
    }
    used += width;
    rest = after;
  }
  return absl::StrCat(text.substr(0, text.size() - rest.size()), "…");
}

std::string PadToWidth(absl::string_view text, int cells, bool right) {
  const int missing = cells - DisplayWidth(text);
  const std::string blanks(missing > 0 ? static_cast<size_t>(missing) : 0, ' ');
  return right ? absl::StrCat(blanks, text) : absl::StrCat(text, blanks);
}

std::string Rfc3339(absl::Time time) {
  return absl::FormatTime("%Y-%m-%dT%H:%M:%E6S%Ez", time, absl::UTCTimeZone());
}

std::string TimeForPeople(absl::Time time, absl::Time now) {
  if (time == absl::InfinitePast()) {
    return "-";
  }
  const absl::Duration age = now - time;
  if (age > -absl::Hours(24) && age < absl::Hours(24)) {
    return age < absl::ZeroDuration() ? absl::StrCat("in ", LengthForPeople(-age))
                                      : absl::StrCat(LengthForPeople(age), " ago");
  }
  return absl::FormatTime("%Y-%m-%d %H:%M", time, absl::LocalTimeZone());
}

std::string LengthForPeople(absl::Duration length) {
  const int64_t seconds = absl::ToInt64Seconds(length < absl::ZeroDuration() ? -length : length);
  if (seconds < 60) {
    return absl::StrCat(seconds, "s");
  }
  if (seconds < 3600) {
    return absl::StrCat(seconds / 60, "m", seconds % 60, "s");
  }
  if (seconds < 86400) {
    return absl::StrCat(seconds / 3600, "h", seconds % 3600 / 60, "m");
  }
  return absl::StrCat(seconds / 86400, "d", seconds % 86400 / 3600, "h");
}

absl::Time TimeFromMicros(int64_t micros) {
  return micros == 0 ? absl::InfinitePast() : absl::FromUnixMicros(micros);
}

}  // namespace berth
