#include "scheduler/core/waiting_claims.h"

#include <algorithm>

namespace berth {

absl::Time WaitingClaims::first_due() const {
  absl::Time first = absl::InfiniteFuture();
  for (const auto& [claim, waiting] : waiting_) {
    first = std::min(first, waiting.due);
  }
  return first;
}

void WaitingClaims::Stir(JobId claim) {
  const auto found = waiting_.find(claim);
  if (found == waiting_.end()) {
    return;
  }
  const auto sum = uses_.find(found->second.key);
  sum->second.Add(found->second.use, -1);
  if (sum->second == QuotaUse()) {
    uses_.erase(sum);
  }
  waiting_.erase(found);
  stirred_.insert(claim);
}

void WaitingClaims::List(JobId claim, const Waiting& waiting) {
  stirred_.erase(claim);
  waiting_.emplace(claim, waiting);
  uses_[waiting.key].Add(waiting.use, 1);
}

}  // namespace berth
