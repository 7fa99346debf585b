#include "scheduler/convert_text.h"

#include <cstdint>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

#include "common/error_detail.h"

namespace berth {
namespace {

constexpr size_t kQuotedBytesMax = 64;

// Length in bytes of the well-formed character at the start of `text`; 0: none.
size_t CharacterLength(absl::string_view text) {
  const auto byte = [text](size_t i) { return static_cast<uint8_t>(text[i]); };
  const uint8_t first = byte(0);
  if (first < 0x80) {
    return 1;
  }
  const size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || text.size() < length) {
    return 0;
  }
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) {
      return 0;
    }
  }
  // Overlong forms, surrogates and what lies above U+10FFFF.
  const uint8_t second = byte(1);
  const bool malformed = (first == 0xe0 && second < 0xa0) || (first == 0xed && second >= 0xa0) ||
                         (first == 0xf0 && second < 0x90) || (first == 0xf4 && second >= 0x90);
  return malformed ? 0 : length;
}

bool IsControl(absl::string_view character) {
  const auto first = static_cast<uint8_t>(character[0]);
  return first < 0x20 || first == 0x7f ||
         (first == 0xc2 && static_cast<uint8_t>(character[1]) < 0xa0);
}

}  // namespace

bool IsUtf8(absl::string_view text) {
  while (!text.empty()) {
    const size_t length = CharacterLength(text);
    if (length == 0) {
      return false;
    }
    text.remove_prefix(length);
  }
  return true;
}

bool IsPlainText(absl::string_view text) {
  while (!text.empty()) {
    const size_t length = CharacterLength(text);
    if (length == 0 || IsControl(text.substr(0, length))) {
      return false;
    }
    text.remove_prefix(length);
  }
  return true;
}

bool IsVariableName(absl::string_view text) {
  if (text.empty() || absl::ascii_isdigit(text.front())) {
    return false;
  }
  for (const char c : text) {
    if (!absl::ascii_isalnum(c) && c != '_') {
      return false;
    }
  }
  return true;
}

absl::Status CheckPlainText(absl::string_view noun, absl::string_view text, size_t bytes_max) {
  if (text.size() <= bytes_max && IsPlainText(text)) {
    return absl::OkStatus();
  }
  const std::string message = absl::StrCat("the ", noun, " is not acceptable: ", Quoted(text));
  if (text.size() > bytes_max) {
    return Refused("B1225", message,
                   absl::StrCat("it may have ", bytes_max, " bytes, and has ", text.size()),
                   "shorten it");
  }
  return Refused("B1225", message, "it holds control characters, or is no UTF-8", "take them out");
}

std::string MakePlain(absl::string_view text, size_t bytes_max) {
  std::string plain;
  while (!text.empty()) {
    const size_t length = CharacterLength(text);
    const bool keep = length > 0 && !IsControl(text.substr(0, length));
    const absl::string_view character = keep ? text.substr(0, length) : "?";
    if (plain.size() + character.size() > bytes_max) {
      break;
    }
    absl::StrAppend(&plain, character);
    text.remove_prefix(length == 0 ? 1 : length);
  }
  return plain;
}

std::string Quoted(absl::string_view text) {
  const bool cut = text.size() > kQuotedBytesMax;
  return absl::StrCat("\"", absl::Utf8SafeCEscape(MakePlain(text, kQuotedBytesMax)),
                      cut ? "...\"" : "\"");
}

absl::Status Refused(absl::string_view code, absl::string_view message, absl::string_view why,
                     absl::string_view fix) {
  return MakeError(absl::StatusCode::kInvalidArgument,
                   {.code = code, .message = message, .why = why, .fix = fix});
}

}  // namespace berth
