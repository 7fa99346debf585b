#include "client/line_pattern.h"

#include <utility>

#include "absl/strings/str_cat.h"

#include "client/text.h"
#include <re2/re2.h>

namespace berth {
namespace {

// Of the automaton that is made while lines are looked at.
constexpr int64_t kMemoryBytesMax = 8 << 20;

}  // namespace

absl::StatusOr<LinePattern> LinePattern::Of(const OptionValue& value) {
  RE2::Options options(RE2::Quiet);
  options.set_max_mem(kMemoryBytesMax);
  auto pattern = std::make_unique<RE2>(value.text, options);
  if (!pattern->ok()) {
    return ValueError(value,
                      absl::StrCat("\"", CleanText(value.text),
                                   "\" is no regular expression: ", CleanText(pattern->error())),
                      "a letter that means itself is written behind a backslash: \\( \\[ \\*");
  }
  return LinePattern(std::move(pattern));
}

LinePattern::LinePattern(std::unique_ptr<RE2> pattern) : pattern_(std::move(pattern)) {}
LinePattern::LinePattern(LinePattern&& other) noexcept = default;
LinePattern& LinePattern::operator=(LinePattern&& other) noexcept = default;
LinePattern::~LinePattern() = default;

bool LinePattern::Matches(absl::string_view line) const {
  return RE2::PartialMatch(re2::StringPiece(line.data(), line.size()), *pattern_);
}

}  // namespace berth
