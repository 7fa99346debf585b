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

std::map<ClassId, std::map<TenantId, TenantQueue>> MakeQueues(const Cluster& cluster) {
  std::map<ClassId, std::map<TenantId, TenantQueue>> queues;
  for (const auto& [key, group] : cluster.groups()) {
    if (!group.ready.empty()) {
      const ClassId first = key.gang.classes.empty() ? ClassId() : key.gang.classes.front();
      queues[first][key.tenant].push_back(&key);
    }
  }
  for (auto& [device_class, tenants] : queues) {
    for (auto& [tenant, groups] : tenants) {
      std::sort(groups.begin(), groups.end(), [&cluster](const GroupKey* a, const GroupKey* b) {
        if (a->priority != b->priority) {
          return a->priority > b->priority;
        }
        return *cluster.groups().at(*a).ready.begin() < *cluster.groups().at(*b).ready.begin();
      });
    }
  }
  return queues;
}

}  // namespace berth
