#include "client/rank_failures.h"

#include <algorithm>
#include <map>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"

#include "client/exit_codes.h"
#include "client/rank_set.h"
#include "common/error_detail.h"

namespace berth {
namespace {

// The ranks of a node meet its loss within it.
constexpr absl::Duration kTellAfter = absl::Milliseconds(300);

}  // namespace

void RankFailures::Add(int32_t rank, const absl::Status& status, absl::Time now) {
  if (untold_.empty()) {
    first_untold_ = now;
  }
  untold_.push_back({.rank = rank, .status = status});
  ++failed_;
  exit_codes_.insert(ExitCodeOfStatus(status));
}

absl::Time RankFailures::TellTime() const {
  return untold_.empty() || failed_ == ranks_ ? absl::InfiniteFuture() : first_untold_ + kTellAfter;
}

void RankFailures::Tell(Context& context) {
  std::map<std::string, std::pair<absl::Status, std::vector<int32_t>>> causes;
  for (const Failure& failure : untold_) {
    auto& [status, ranks] = causes[std::string(failure.status.message())];
    status = failure.status;
    ranks.push_back(failure.rank);
  }
  for (auto& [message, cause] : causes) {
    auto& [status, ranks] = cause;
    std::sort(ranks.begin(), ranks.end());
    const absl::Status told(status.code(), absl::StrCat(ranks.size() == 1 ? "rank " : "ranks ",
                                                        FoldRanks(ranks), ": ", message));
    const auto detail = FindDetail(status);
    context.PrintError(detail.has_value() ? WithDetail(told, *detail) : told);
  }
  untold_.clear();
}

absl::StatusOr<int> RankFailures::Result(Context& context) {
  if (failed_ == 0) {
    return kExitDone;
  }
  const bool one_cause = std::all_of(untold_.begin(), untold_.end(), [this](const Failure& one) {
    return one.status == untold_.front().status;
  });
  if (failed_ == ranks_ && untold_.size() == ranks_ && one_cause) {
    return untold_.front().status;
  }
  Tell(context);
  return failed_ == ranks_ && exit_codes_.size() == 1 ? *exit_codes_.begin() : kExitPartlyDone;
}

}  // namespace berth
