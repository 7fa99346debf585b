#include "client/rank_set.h"

#include <set>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

#include "client/text.h"
#include "common/status_macros.h"

namespace berth {
namespace {

absl::StatusOr<int32_t> RankOf(const OptionValue& value, absl::string_view text) {
  int32_t rank = 0;
  const bool digits =
      !text.empty() && text.find_first_not_of("0123456789") == absl::string_view::npos;
  if (!digits || !absl::SimpleAtoi(text, &rank) || rank > kRankMax) {
    return ValueError(value, absl::StrCat("\"", CleanText(text), "\" is no rank"),
                      "write ranks like 3 or 0,5-7");
  }
  return rank;
}

}  // namespace

absl::StatusOr<std::vector<int32_t>> RanksOf(const OptionValue& value) {
  ASSIGN_OR_RETURN(const std::vector<std::string> parts, ListOf(value));
  std::set<int32_t> ranks;
  for (const std::string& part : parts) {
    const size_t dash = part.find('-', 1);  // "-1" is no range
    ASSIGN_OR_RETURN(const int32_t first, RankOf(value, part.substr(0, dash)));
    int32_t last = first;
    if (dash != std::string::npos) {
      ASSIGN_OR_RETURN(last, RankOf(value, part.substr(dash + 1)));
    }
    if (last < first) {
      return ValueError(value, absl::StrCat("\"", CleanText(part), "\" falls"),
                        absl::StrCat("write ", last, "-", first));
    }
    for (int32_t rank = first; rank <= last; ++rank) {
      ranks.insert(rank);
    }
  }
  return std::vector<int32_t>(ranks.begin(), ranks.end());
}

std::string FoldRanks(const std::vector<int32_t>& ranks) {
  std::string text;
  for (size_t i = 0; i < ranks.size();) {
    size_t last = i;
    while (last + 1 < ranks.size() && ranks[last + 1] == ranks[last] + 1) {
      ++last;
    }
    absl::StrAppend(&text, text.empty() ? "" : ",", ranks[i]);
    if (last > i) {
      absl::StrAppend(&text, "-", ranks[last]);
    }
    i = last + 1;
  }
  return text;
}

}  // namespace berth
