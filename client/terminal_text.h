#ifndef BERTH_CLIENT_TERMINAL_TEXT_H_
#define BERTH_CLIENT_TERMINAL_TEXT_H_

// What a job wrote, made safe for the terminal of who reads it: escapes could change its title, its
// keys or what stands on it already.

#include <string>

#include "absl/strings/string_view.h"

namespace berth {

// Lets through line breaks, tabs, carriage returns, backspaces, colours (SGR sequences) and UTF-8,
// and shows every other control character: "^[", "\x9b". Bytes that are no UTF-8 are shown, too.
class TerminalText {
 public:
  // `is_raw`: everything passes.
  explicit TerminalText(bool is_raw) : is_raw_(is_raw) {}

  // Pieces may end anywhere: what is begun waits for the next one, or for End. Valid until the next
  // call of Pass, and as long as the piece.
  absl::string_view Pass(absl::string_view piece);
  std::string End();

 private:
  const bool is_raw_;
  std::string begun_;  // an escape sequence or a character
  std::string safe_;   // of the last piece
};

}  // namespace berth

#endif  // BERTH_CLIENT_TERMINAL_TEXT_H_
