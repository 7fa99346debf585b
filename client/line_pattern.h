#ifndef BERTH_CLIENT_LINE_PATTERN_H_
#define BERTH_CLIENT_LINE_PATTERN_H_

// A regular expression that chooses lines. Its time grows with a line's length only, and its memory
// is bounded, whatever the expression (RE2).

#include <memory>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "client/option.h"

namespace re2 {
class RE2;
}  // namespace re2

namespace berth {

class LinePattern {
 public:
  // Errors stand at the option's place.
  static absl::StatusOr<LinePattern> Of(const OptionValue& value);
  LinePattern(LinePattern&& other) noexcept;
  LinePattern& operator=(LinePattern&& other) noexcept;
  ~LinePattern();

  // Somewhere in the line.
  bool Matches(absl::string_view line) const;

 private:
  explicit LinePattern(std::unique_ptr<re2::RE2> pattern);
  std::unique_ptr<re2::RE2> pattern_;
};

}  // namespace berth

#endif  // BERTH_CLIENT_LINE_PATTERN_H_
