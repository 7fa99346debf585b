// The part of plan_checks.h that looks at a cluster at rest.

#include <algorithm>
#include <optional>

#include "absl/strings/str_format.h"

#include "scheduler/core/admission.h"
#include "tests/simulation/plan_checks.h"

namespace berth {
namespace {

bool MayBeAsked(const Job& job, const Policy& policy, absl::Time now) {
  const bool live = job.state == JobState::kRunning || job.state == JobState::kStarting ||
                    job.state == JobState::kDispatching;
  return live && job.spec.preemptible && job.attempt.funding == Funding::kBorrowed &&
         job.attempt.created_at + policy.reclaim_min_run <= now;
}

// Within what the tenant owns, counting its other claims.
bool IsOwnedClaim(const Cluster& cluster, const CenterBooks& books, const Job& job,
                  ClassId device_class) {
  const QuotaKey key{job.spec.tenant, ProjectId(), device_class};
  const QuotaLimits limits = cluster.quota().Limits(key);
  const CenterBooks::Use use = books.UseOf(job.spec.tenant, device_class);
  const int64_t asked = job.spec.gang.least_devices();
  const int64_t after = use.used() + books.NominatedFor(job.spec.tenant, device_class) + asked;
  const auto project =
      cluster.quota().Limits({job.spec.tenant, job.spec.project, device_class}).limit;
  const bool project_fits =
      !project.has_value() || books.ProjectUse(job.spec.project, device_class) +
                                      books.ProjectClaims(job.spec.project, device_class) + asked <=
                                  *project;
  return after <= limits.entitlement && after <= limits.limit.value_or(after) && project_fits &&
         std::max(use.non_preemptible, use.owned) + asked <= limits.entitlement;
}

// Fewer devices than entitlements: each claim has a share only, which the plan judges.
bool IsShort(const Cluster& cluster, const CenterBooks& books, ClassId device_class) {
  return cluster.quota().EntitlementSum(device_class) > books.UsableDevices(device_class);
}

}  // namespace

void CheckOwnedClaims(const Cluster& cluster, const Policy& policy, absl::Time now,
                      Findings& findings) {
  const CenterBooks books(cluster);
  std::map<ClassId, CenterBooks> recoverable;
  for (const auto& [id, group] : cluster.groups()) {
    const Tenant& tenant = *cluster.quota().FindTenant(group.key.tenant);
    const bool may_lock =
        tenant.queue_preset == QueuePreset::kFifo || tenant.queue_preset == QueuePreset::kStepped;
    if (group.ready.empty() || tenant.suspended || may_lock) {
      continue;
    }
    const Job& job = cluster.GetJob(*group.ready.begin());
    for (ClassId device_class : ClassOrder(cluster, group.key.tenant, group.key.gang)) {
      if (!device_class || cluster.nominations().contains(job.id) ||
          OwesBlocks(cluster, device_class) || IsShort(cluster, books, device_class) ||
          !IsOwnedClaim(cluster, books, job, device_class)) {
        continue;
      }
      const auto anchor = cluster.anchors().find(device_class);
      if (anchor != cluster.anchors().end() && anchor->second.job != job.id) {
        findings.Saw("owned claims behind an anchor");
        continue;
      }
      const auto [given, added] = recoverable.emplace(device_class, books);
      for (JobId holder : cluster.active_jobs()) {
        const Job& other = cluster.GetJob(holder);
        if (added && other.attempt.device_class == device_class &&
            (MayBeAsked(other, policy, now) || other.state == JobState::kStopping)) {
          given->second.Give(other);
        }
      }
      if (added) {
        given->second.KeepHosts();
      }
      findings.Expect(
          "no unsatisfied owned claim",
          !given->second.Fits(job.spec.gang, device_class, job.spec.gang.least_nodes(),
                              ClosedTo(cluster, job, now)),
          absl::StrFormat("job %d of tenant %d owns %d devices that could be recalled",
                          job.id.value(), job.spec.tenant.value(), job.spec.gang.least_devices()));
    }
  }
}

}  // namespace berth
