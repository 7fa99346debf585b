#ifndef BERTH_SCHEDULER_CORE_QUOTA_CHECKS_H_
#define BERTH_SCHEDULER_CORE_QUOTA_CHECKS_H_

// Which quotas are possible. Each refusal names the numbers.

#include "absl/status/status.h"

#include "scheduler/core/cluster.h"

namespace berth {

// What holds of a quota whatever the center has: 0 <= N <= E <= L.
absl::Status CheckQuotaNumbers(const QuotaLimits& limits);

// What depends on the other quotas and on the nodes that are known: projects within their tenant,
// and, unless `allow_oversell`, tenants within the capacity, in devices and in whole blocks, and a
// tenant's blocks within its entitlement. An edit that makes none of these worse is possible. The
// class may be none: no node has it.
absl::Status CheckQuotaSums(const Cluster& cluster, const QuotaKey& key, const QuotaLimits& limits,
                            bool allow_oversell);

}  // namespace berth

#endif  // BERTH_SCHEDULER_CORE_QUOTA_CHECKS_H_
