#ifndef BERTH_SCHEDULER_CORE_QUEUE_ORDER_H_
#define BERTH_SCHEDULER_CORE_QUEUE_ORDER_H_

// Who is considered next (quota.md, "Order"): per class the owned claims first, tenants by smallest
// U/E; then the borrow requests by smallest (U-E)+ / w. Inside a tenant by priority, then age.

#include <cstdint>

#include "scheduler/core/quota_tree.h"

namespace berth {

// A fraction compared exactly.
struct Share {
  int64_t numerator = 0;
  int64_t denominator = 1;  // > 0

  friend bool operator<(const Share& a, const Share& b) {
    return static_cast<__int128>(a.numerator) * b.denominator <
           static_cast<__int128>(b.numerator) * a.denominator;
  }
};

// U/E for owned claims; a tenant without entitlement comes last.
Share OwnedShare(const QuotaLimits& limits, int64_t used);
// (U-E)+ / max(w, 1) for borrow requests.
Share BorrowShare(const QuotaLimits& limits, int64_t used);

}  // namespace berth

#endif  // BERTH_SCHEDULER_CORE_QUEUE_ORDER_H_
