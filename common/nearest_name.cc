#include "common/nearest_name.h"

#include <algorithm>
#include <cstddef>

namespace berth {
namespace {

constexpr size_t kWordLengthMax = 64;

// The optimal string alignment distance: like Levenshtein's, and a swap of neighbours counts one.
size_t TypingErrors(absl::string_view a, absl::string_view b) {
  std::vector<size_t> before_last(b.size() + 1);
  std::vector<size_t> last(b.size() + 1);
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) {
    last[j] = j;
  }
  for (size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t change = a[i - 1] == b[j - 1] ? 0 : 1;
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + change});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        row[j] = std::min(row[j], before_last[j - 2] + 1);
      }
    }
    std::swap(before_last, last);
    std::swap(last, row);
  }
  return last[b.size()];
}

}  // namespace

std::string NearestName(absl::string_view word, const std::vector<std::string>& candidates) {
  if (word.empty() || word.size() > kWordLengthMax) {
    return "";
  }
  std::string best;
  size_t least = 1 + std::max<size_t>(1, word.size() / 3);
  for (const std::string& candidate : candidates) {
    const size_t errors = TypingErrors(word, candidate);
    if (errors < least && errors < candidate.size()) {
      least = errors;
      best = candidate;
    }
  }
  if (!best.empty() || word.size() < 3) {
    return best;
  }
  for (const std::string& candidate : candidates) {
    if (absl::string_view(candidate).substr(0, word.size()) == word) {
      return candidate;
    }
  }
  return "";
}

}  // namespace berth
