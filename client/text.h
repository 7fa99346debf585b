#ifndef BERTH_CLIENT_TEXT_H_
#define BERTH_CLIENT_TEXT_H_

// Text from other people on a terminal: safe, and measured in cells.

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace berth {

// `text` without anything that moves a cursor or hides text: control characters, escapes, direction
// marks and broken UTF-8 become visible replacements. Tabs become blanks.
std::string CleanText(absl::string_view text);

inline constexpr uint32_t kBrokenCodePoint = 0xfffd;
// Takes one code point off the front; kBrokenCodePoint and one byte where the bytes are not UTF-8.
// Requires: text is not empty.
uint32_t TakeCodePoint(absl::string_view& text);

// Terminal cells that clean UTF-8 takes: two for East Asian wide characters, none for combining
// ones.
int DisplayWidth(absl::string_view text);

// At most `cells` cells; a cut text ends with "…".
std::string CutToWidth(absl::string_view text, int cells);
// Filled with blanks to `cells` cells.
std::string PadToWidth(absl::string_view text, int cells, bool right);

// RFC 3339 in UTC with microseconds, for machines.
std::string Rfc3339(absl::Time time);
// "12m ago" within a day, the local date and time before that; "-" for the zero time.
std::string TimeForPeople(absl::Time time, absl::Time now);
// Two units at most: "3m10s", "1h12m", "2d4h".
std::string LengthForPeople(absl::Duration length);
// Unix microseconds of the contract; 0 is absl::InfinitePast().
absl::Time TimeFromMicros(int64_t micros);

}  // namespace berth

#endif  // BERTH_CLIENT_TEXT_H_
