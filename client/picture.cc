#include "client/picture.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

#include "client/text.h"

namespace berth {

std::string ClockText(absl::Time now) {
  return absl::FormatTime("%H:%M:%S", now, absl::LocalTimeZone());
}

void AddTable(const Listing& listing, const PictureSize& size, absl::Time now,
              std::vector<std::string>& lines) {
  // One of the lines that are left is the empty one.
  const int left = size.rows == 0 ? 0 : std::max(size.rows - static_cast<int>(lines.size()) - 1, 1);
  AddTable(listing, size, left, now, lines);
}

void AddTable(const Listing& listing, const PictureSize& size, int most, absl::Time now,
              std::vector<std::string>& lines) {
  if (listing.rows.empty()) {
    return;
  }
  std::vector<std::string> table = absl::StrSplit(
      Render(listing, {.kind = OutputKind::kTable}, size.columns, now).value_or(std::string("\n")),
      '\n');
  table.pop_back();  // the text ends with a line break
  if (most > 0 && static_cast<int>(table.size()) > most) {
    const size_t kept = static_cast<size_t>(std::max(most - 1, 0));
    const std::string more = absl::StrCat("  and ", table.size() - kept, " more");
    table.resize(kept);
    table.push_back(more);
  }
  lines.emplace_back();
  std::move(table.begin(), table.end(), std::back_inserter(lines));
}

std::string JoinLines(const std::vector<std::string>& lines, const PictureSize& size) {
  std::string text;
  for (size_t i = 0; i < lines.size() && (size.rows == 0 || i < static_cast<size_t>(size.rows));
       ++i) {
    absl::StrAppend(&text, CutToWidth(lines[i], size.columns), "\n");
  }
  return text;
}

}  // namespace berth
