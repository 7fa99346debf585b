// Whether plans leave claims the processors and the memory that they will take.

#include <algorithm>
#include <map>

#include "absl/strings/str_format.h"

#include "tests/simulation/plan_checks.h"

namespace berth {

std::map<NodeId, HostResources> HostsClaimed(const PlanView& view) {
  std::map<JobId, const Start*> claims;
  for (const auto& [id, claim] : view.cluster.nominations()) {
    claims[id] = &claim;
  }
  for (const Start& start : view.plan.starts) {
    claims.erase(start.job);
  }
  for (const JobId lapsed : view.plan.lapsed) {
    claims.erase(lapsed);
  }
  std::map<NodeId, HostResources> claimed;
  for (const auto& [id, claim] : claims) {
    for (const Placement& member : claim->members) {
      if (const Job* job = view.cluster.FindJob(id); job != nullptr) {
        claimed[member.node] += job->spec.gang.per_node;
      }
    }
  }
  return claimed;
}

namespace {

// Whether the allocation is given back for a claim, or by itself before one starts.
bool Returns(const PlanView& view, const Allocation& allocation, const CenterBooks& books) {
  const Job& job = view.cluster.GetJob(allocation.job);
  const absl::Time ends =
      std::max(job.attempt.created_at, job.attempt.started_at) + job.spec.time_limit;
  const bool soon = job.state == JobState::kStopping ||
                    allocation.state == AllocationState::kReleasing ||
                    ends <= view.now + job.spec.grace + view.policy.kill_timeout;
  return soon || std::any_of(allocation.devices.begin(), allocation.devices.end(),
                             [&](const DeviceShare& share) {
                               const auto* device = books.FindDevice(allocation.node, share.index);
                               return device != nullptr && device->nominated;
                             });
}

}  // namespace

void CheckKeptHosts(const PlanView& view, Findings& findings) {
  const std::map<NodeId, HostResources> claimed = HostsClaimed(view);
  CenterBooks after(view.cluster);
  for (const Start& start : view.plan.starts) {
    after.Start(view.cluster.GetJob(start.job), start);
  }
  for (const auto& [id, allocation] : view.cluster.allocations()) {
    if (claimed.contains(allocation.node) && allocation.state != AllocationState::kReleased &&
        Returns(view, allocation, after)) {
      after.Give(allocation);
    }
  }
  for (const Start& start : view.plan.starts) {
    const Job& job = view.cluster.GetJob(start.job);
    for (const Placement& member : start.members) {
      const auto kept = claimed.find(member.node);
      if (kept != claimed.end() && kept->second != HostResources{} &&
          job.spec.gang.per_node != HostResources{} &&
          !view.cluster.nominations().contains(job.id)) {
        findings.Saw("starts beside what is kept of a host");
        findings.Expect(
            "kept hosts", after.HasHost(member.node, kept->second),
            absl::StrFormat("job %d gets what is kept of a host for a claim", job.id.value()));
      }
    }
  }
}

}  // namespace berth
