#include "scheduler/core/plan_application.h"

#include <set>
#include <string>
#include <utility>

#include "absl/strings/str_format.h"

#include "scheduler/core/job_progress.h"

namespace berth {
namespace {

// Whoever is stopped may know why, but not whose job it is that comes: his own tenant's, or that of
// an owner.
std::string MessageFor(const Cluster& cluster, const Reclaim& certificate,
                       const ReclaimCandidate& candidate) {
  if (certificate.tenant == candidate.tenant) {
    return absl::StrFormat("gives %d %s back to job %d of its own tenant", candidate.devices,
                           cluster.ClassName(certificate.device_class), certificate.claim.value());
  }
  return absl::StrFormat("gives %d borrowed %s back to their owner", candidate.devices,
                         cluster.ClassName(certificate.device_class));
}

void ApplyRecall(const Step& step, Recall recall) {
  // A claim of an array is that of its next task.
  if (step.cluster.GetJob(recall.claim.job).is_array()) {
    recall.claim.job = step.cluster.AddTask(recall.claim.job);
    recall.certificate.claim = recall.claim.job;
  }
  for (const ReclaimCandidate& candidate : recall.certificate.candidates) {
    if (!candidate.chosen) {
      continue;
    }
    const std::string message = MessageFor(step.cluster, recall.certificate, candidate);
    if (candidate.shrink) {
      ShrinkJob(step, candidate.job, candidate.members, candidate.notice, message);
    } else {
      StopJob(step, candidate.job, {.reason = EndReason::kPreempted, .message = message},
              candidate.notice);
    }
  }
  step.cluster.Nominate(recall.claim, std::move(recall.certificate));
}

}  // namespace

void ApplyPlan(const Step& step, Plan plan) {
  // Before a group ends with its last job, and gives its id to another.
  for (const auto& [group, blocker] : plan.blockers) {
    step.cluster.SetBlocker(group, blocker);
  }
  std::set<std::pair<TenantId, ClassId>> left;
  for (JobId claim : plan.lapsed) {
    const Reclaim& certificate = step.cluster.open_reclaims().at(claim);
    left.emplace(certificate.tenant, certificate.device_class);
    step.cluster.DropNomination(claim, absl::InfiniteFuture());
  }
  for (const Start& start : plan.starts) {
    step.cluster.DropNomination(start.job, step.now);
    for (JobId yielding : start.relabelled) {
      step.cluster.TakeLabel(yielding);
      left.emplace(step.cluster.GetJob(yielding).spec.tenant, start.device_class);
    }
    DispatchJob(step, start);
  }
  for (Recall& recall : plan.recalls) {
    ApplyRecall(step, std::move(recall));
  }
  // What was kept of an entitlement for a claim that gave up, or yielded and not needed, and is not
  // taken by a start of this plan, is there for what runs.
  for (const auto& [tenant, device_class] : left) {
    step.cluster.UpgradeLabels(tenant, device_class);
  }
  step.cluster.SetAnchors(std::move(plan.anchors));
  step.cluster.ListWaitingClaims();
}

}  // namespace berth
