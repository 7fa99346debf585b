#include "sim/faults/history.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"

namespace berth::sim {
namespace {

// The literal's address is not the same in every build; its text is.
uint64_t TextHash(const char* text) {
  uint64_t hash = 0xcbf29ce484222325;
  for (; *text != '\0'; ++text) {
    hash = (hash ^ static_cast<uint8_t>(*text)) * 0x100000001b3;
  }
  return hash;
}

}  // namespace

void History::Note(int64_t at_us, const char* what, uint64_t a, uint64_t b, uint64_t c) {
  last_[static_cast<size_t>(events_) % kKept] = {
      at_us, what, {a, b, c}
  };
  ++events_;
  hash_.Add({static_cast<uint64_t>(at_us), TextHash(what), a, b, c});
}

std::vector<std::string> History::Lines() const {
  std::vector<std::string> lines;
  const int64_t kept = std::min<int64_t>(events_, kKept);
  for (int64_t number = events_ - kept; number < events_; ++number) {
    const Event& event = last_[static_cast<size_t>(number) % kKept];
    std::string line = absl::StrFormat("%12.6f s  ", static_cast<double>(event.at_us) / 1e6);
    size_t next = 0;
    for (absl::string_view rest = event.what; !rest.empty();) {
      if (rest.substr(0, 2) == "%d" && next < event.numbers.size()) {
        absl::StrAppend(&line, event.numbers[next++]);
        rest.remove_prefix(2);
      } else {
        line.push_back(rest.front());
        rest.remove_prefix(1);
      }
    }
    lines.push_back(std::move(line));
  }
  return lines;
}

}  // namespace berth::sim
