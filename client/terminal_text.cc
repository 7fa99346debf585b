#include "client/terminal_text.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

#include "client/text.h"

namespace berth {
namespace {

constexpr char kEscape = '\x1b';
constexpr char kDelete = '\x7f';
constexpr size_t kColourBytesMax = 64;

bool IsPlain(char c) {
  return (c >= ' ' && c < kDelete) || c == '\n' || c == '\t' || c == '\r' || c == '\b';
}

// The length of the colour sequence that `text` begins with; 0: it is another, npos: it may become
// one.
size_t ColourLength(absl::string_view text) {
  const auto end =
      std::find_if(text.begin() + std::min<size_t>(text.size(), 2), text.end(),
                   [](char c) { return !absl::ascii_isdigit(c) && c != ';' && c != ':'; });
  const auto length = static_cast<size_t>(end - text.begin());
  if ((text.size() > 1 && text[1] != '[') || length >= kColourBytesMax) {
    return 0;
  }
  if (end == text.end()) {
    return absl::string_view::npos;
  }
  return *end == 'm' ? length + 1 : 0;
}

// Whether `text` is the beginning of a character only.
bool IsBegun(absl::string_view text) {
  const auto first = static_cast<uint8_t>(text[0]);
  const size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  return first >= 0xc2 && first <= 0xf4 && text.size() < length &&
         std::all_of(text.begin() + 1, text.end(), [](char c) { return (c & 0xc0) == 0x80; });
}

std::string Shown(uint8_t byte) {
  return absl::StrCat("\\x", absl::Hex(byte, absl::kZeroPad2));
}

// Takes what is whole off the front of `text`, at least one byte.
std::string TakeCharacter(absl::string_view& text) {
  const absl::string_view before = text;
  const uint32_t code = TakeCodePoint(text);
  const absl::string_view taken = before.substr(0, before.size() - text.size());
  if (code == kBrokenCodePoint && taken.size() == 1) {
    return Shown(static_cast<uint8_t>(taken[0]));
  }
  return code >= 0x80 && code < 0xa0 ? Shown(static_cast<uint8_t>(code)) : std::string(taken);
}

}  // namespace

absl::string_view TerminalText::Pass(absl::string_view piece) {
  if (is_raw_) {
    return piece;
  }
  const std::string whole = absl::StrCat(std::exchange(begun_, ""), piece);
  absl::string_view text = whole;
  safe_.clear();
  safe_.reserve(text.size());
  while (!text.empty()) {
    const char c = text[0];
    if (c == kEscape) {
      const size_t length = ColourLength(text);
      if (length == absl::string_view::npos) {
        break;
      }
      absl::StrAppend(&safe_, length == 0 ? "^[" : text.substr(0, length));
      text.remove_prefix(std::max<size_t>(length, 1));
    } else if (IsPlain(c)) {
      safe_.push_back(c);
      text.remove_prefix(1);
    } else if (static_cast<uint8_t>(c) < 0x80) {
      absl::StrAppend(&safe_, "^", std::string(1, static_cast<char>(c ^ 0x40)));
      text.remove_prefix(1);
    } else if (IsBegun(text)) {
      break;
    } else {
      safe_ += TakeCharacter(text);
    }
  }
  begun_ = std::string(text);
  return safe_;
}

std::string TerminalText::End() {
  std::string shown;
  for (const char c : std::exchange(begun_, "")) {
    shown += c == kEscape ? "^[" : IsPlain(c) ? std::string(1, c) : Shown(static_cast<uint8_t>(c));
  }
  return shown;
}

}  // namespace berth
