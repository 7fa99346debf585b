#include "client/log_printer.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/clock.h"

#include "client/rank_set.h"
#include "client/terminal_text.h"
#include "client/text.h"

namespace berth {
namespace {

// What a terminal would show of a line in which a progress bar wrote over itself. Whole, it would
// write over the rank.
absl::string_view LastWritten(absl::string_view line) {
  while (!line.empty() && line.back() == '\r') {
    line.remove_suffix(1);
  }
  const size_t back = line.rfind('\r');
  return back == absl::string_view::npos ? line : line.substr(back + 1);
}

std::string JsonOf(const LogGroup& group, int32_t rank) {
  Json json;
  json["rank"] = rank;
  json["at"] = group.at_us == 0 ? Json() : Json(Rfc3339(TimeFromMicros(group.at_us)));
  json["text"] = group.text;
  return DumpJson(json);
}

}  // namespace

LogPrinter::LogPrinter(Console& console, OutputKind kind, bool with_ranks, bool is_raw,
                       const std::vector<int32_t>& ranks)
    : console_(console),
      kind_(kind),
      with_ranks_(with_ranks),
      is_raw_(is_raw || !console.out_is_terminal()),
      prefix_cells_(absl::StrCat("[r", ranks.empty() ? 0 : ranks.back(), "]").size()) {}

std::string LogPrinter::PrefixOf(const std::vector<int32_t>& ranks) const {
  if (ranks.size() > 1) {
    return absl::StrCat("[r", FoldRanks(ranks), " ×", ranks.size(), "] ");
  }
  std::string prefix = absl::StrCat("[r", ranks.front(), "]");
  prefix.resize(std::max(prefix.size(), prefix_cells_) + 1, ' ');
  return prefix;
}

void LogPrinter::Begin() {
  if (kind_ == OutputKind::kJson) {
    console_.Out(
        absl::StrCat("{\"schema\":\"berth/v1\",\"kind\":\"LogLineList\",\"generated_at\":\"",
                     Rfc3339(absl::Now()), "\",\"items\":["));
  }
}

void LogPrinter::End() {
  if (kind_ == OutputKind::kJson) {
    console_.Out(any_ ? "\n]}\n" : "]}\n");
  }
}

void LogPrinter::Print(const LogGroup& group) {
  if (kind_ == OutputKind::kJson || kind_ == OutputKind::kJsonl) {
    for (const int32_t rank : group.ranks) {
      const char* const separator = kind_ == OutputKind::kJsonl ? "" : any_ ? ",\n" : "\n";
      console_.Out(
          absl::StrCat(separator, JsonOf(group, rank), kind_ == OutputKind::kJsonl ? "\n" : ""));
      any_ = true;
    }
    return;
  }
  TerminalText terminal(is_raw_);
  const absl::string_view text =
      terminal.Pass(with_ranks_ ? LastWritten(group.text) : absl::string_view(group.text));
  console_.Out(absl::StrCat(with_ranks_ ? PrefixOf(group.ranks) : "", text, terminal.End(), "\n"));
}

}  // namespace berth
