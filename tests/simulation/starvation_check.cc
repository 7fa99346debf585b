// The part of plan_checks.h that looks at who has waited for long.

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/str_format.h"

#include "tests/simulation/plan_checks.h"

namespace berth {
namespace {

// Whether the quota lets it borrow now, counting what waits.
bool MayBorrow(const Cluster& cluster, const CenterBooks& books, const Job& job,
               ClassId device_class) {
  const JobSpec& spec = job.spec;
  const QuotaLimits limits = cluster.quota().Limits({spec.tenant, ProjectId(), device_class});
  const auto project = cluster.quota().Limits({spec.tenant, spec.project, device_class}).limit;
  const CenterBooks::Use use = books.UseOf(spec.tenant, device_class);
  const int64_t asked = spec.gang.least_devices();
  const int64_t after = use.used() + books.NominatedFor(spec.tenant, device_class) + asked;
  const int64_t of_project = books.ProjectUse(spec.project, device_class) +
                             books.ProjectClaims(spec.project, device_class) + asked;
  return spec.preemptible && (spec.may_borrow || after <= limits.entitlement) &&
         after <= limits.limit.value_or(after) && of_project <= project.value_or(of_project);
}

// Within what its tenant owns: rule T1 may hold it back, however long it waits.
bool MayBeOwned(const Cluster& cluster, const Job& job, ClassId device_class) {
  return job.spec.gang.least_devices() <=
         cluster.quota().Limits({job.spec.tenant, ProjectId(), device_class}).entitlement;
}

// Whether it could start if everything that runs had ended.
bool FitsAtAll(const Cluster& cluster, const Job& job, ClassId device_class, absl::Time now) {
  CenterBooks empty(cluster);
  for (const auto& [id, allocation] : cluster.allocations()) {
    empty.Give(allocation);
  }
  int64_t kept = 0;
  for (const auto& [id, tenant] : cluster.quota().tenants()) {
    kept += id == job.spec.tenant
                ? 0
                : cluster.quota().Limits({id, ProjectId(), device_class}).non_lendable;
  }
  const GangShape& gang = job.spec.gang;
  return empty.Fits(gang, device_class, gang.nodes, ClosedTo(cluster, job, now)) &&
         empty.FreeDevices(device_class) - kept >= gang.devices();
}

// Whether it goes before borrow requests: beside what of its tenant runs longer than it waits.
bool Owns(const Cluster& cluster, const Anchor& anchor) {
  const Job& job = cluster.GetJob(anchor.job);
  std::set<std::pair<NodeId, int>> used;  // a shared device counts once
  for (const auto& [id, allocation] : cluster.allocations()) {
    const bool stays = allocation.state != AllocationState::kReleased &&
                       allocation.tenant == job.spec.tenant &&
                       allocation.device_class == anchor.device_class &&
                       cluster.GetJob(allocation.job).ends_by > anchor.shadow;
    for (const DeviceShare& share : allocation.devices) {
      if (stays) {
        used.emplace(allocation.node, share.index);
      }
    }
  }
  return static_cast<int64_t>(used.size()) + job.spec.gang.least_devices() <=
         cluster.quota().Limits({job.spec.tenant, ProjectId(), anchor.device_class}).entitlement;
}

}  // namespace

void CheckStarvation(const Cluster& cluster, const Policy& policy, absl::Time now,
                     Findings& findings) {
  const CenterBooks books(cluster);
  for (const auto& [id, group] : cluster.groups()) {
    const Tenant& tenant = *cluster.quota().FindTenant(group.key.tenant);
    if (group.ready.empty() || tenant.suspended || tenant.queue_preset != QueuePreset::kEasy ||
        group.key.gang.classes.size() != 1) {
      continue;
    }
    const Job& job = cluster.GetJob(*group.ready.begin());
    const ClassId device_class = group.key.gang.classes.front();
    if (job.submitted_at + policy.borrow_age > now || cluster.nominations().contains(job.id) ||
        (OwesBlocks(cluster, device_class) && MayBeOwned(cluster, job, device_class)) ||
        !MayBorrow(cluster, books, job, device_class) ||
        !FitsAtAll(cluster, job, device_class, now)) {
      continue;
    }
    const auto anchor = cluster.anchors().find(device_class);
    const bool anchored =
        anchor != cluster.anchors().end() && cluster.FindJob(anchor->second.job) != nullptr;
    findings.Expect("no starvation",
                    anchored && (anchor->second.job <= job.id || Owns(cluster, anchor->second)),
                    absl::StrFormat("job %d of tenant %d has waited for long and may be passed",
                                    job.id.value(), job.spec.tenant.value()));
  }
}

}  // namespace berth
