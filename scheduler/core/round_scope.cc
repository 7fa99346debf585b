#include "scheduler/core/round_scope.h"

#include <algorithm>
#include <vector>

namespace berth {

RoundScope::RoundScope(const Cluster& cluster)
    : cluster_(cluster), all_(cluster.stirred().empty() || AnybodyMayTurnUp()) {
  for (const auto& [device_class, anchor] : cluster_.anchors()) {
    if (IsStirred(device_class)) {
      continue;
    }
    const Job* job = cluster_.FindJob(anchor.job);
    const bool waits = job != nullptr && job->group && !cluster_.nominations().contains(job->id);
    const auto& classes = waits ? job->spec.gang.classes : std::vector<ClassId>();
    // One that names none may start in any.
    if (classes.empty() ||
        std::any_of(classes.begin(), classes.end(), [this](ClassId of) { return IsStirred(of); })) {
      reopened_.insert(device_class);
    } else {
      kept_anchors_.emplace(device_class, &anchor);
    }
  }
}

bool RoundScope::IsWhole() const {
  return std::all_of(cluster_.queues().begin(), cluster_.queues().end(),
                     [this](const auto& queue) { return LooksAt(queue.first); });
}

bool RoundScope::AnybodyMayTurnUp() const {
  for (const auto& [device_class, tenants] : cluster_.queues()) {
    for (const auto& [tenant, groups] : tenants) {
      if (groups.mixed() > 0 && !MayBePassed(*cluster_.quota().FindTenant(tenant))) {
        return true;
      }
    }
  }
  return false;
}

}  // namespace berth
