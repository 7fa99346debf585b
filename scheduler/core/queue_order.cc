#include "scheduler/core/queue_order.h"

#include <algorithm>

namespace berth {

Share OwnedShare(const QuotaLimits& limits, int64_t used) {
  return limits.entitlement > 0 ? Share{used, limits.entitlement} : Share{INT64_MAX, 1};
}

Share BorrowShare(const QuotaLimits& limits, int64_t used) {
  const int64_t weight = limits.weight.value_or(limits.entitlement);
  return {std::max<int64_t>(used - limits.entitlement, 0), std::max<int64_t>(weight, 1)};
}

}  // namespace berth
