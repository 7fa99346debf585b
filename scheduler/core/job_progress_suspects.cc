// Nodes that attempts ended on by their fault, and that the next attempts avoid.

#include <utility>
#include <vector>

#include "scheduler/core/admission.h"
#include "scheduler/core/job_progress.h"

namespace berth {

void SuspectNode(const Step& step, JobId id, NodeId node) {
  const Job& job = step.cluster.GetJob(id);
  if (job.attempt.end.reason != EndReason::kNone) {
    return;
  }
  std::vector<NodeId> suspects = job.suspect_nodes;
  std::erase(suspects, node);
  suspects.push_back(node);
  step.cluster.SetSuspects(id, std::move(suspects));
}

void ReviewSuspects(const Step& step) {
  std::vector<JobId> hopeless;
  for (GroupId id : step.cluster.avoiding_groups()) {
    const PendingGroup& group = step.cluster.GetGroup(id);
    const JobId any = group.ready.empty() ? *group.waiting.begin() : *group.ready.begin();
    if (!HasPlaceWithout(step.cluster, step.cluster.GetJob(any).spec, group.key.suspect_nodes)) {
      hopeless.insert(hopeless.end(), group.ready.begin(), group.ready.end());
      hopeless.insert(hopeless.end(), group.waiting.begin(), group.waiting.end());
    }
  }
  for (JobId id : hopeless) {
    ForgetSuspects(step, step.cluster.GetJob(id));
  }
}

void ForgetSuspects(const Step& step, const Job& job) {
  std::vector<NodeId> suspects = job.suspect_nodes;
  while (!suspects.empty() && !HasPlaceWithout(step.cluster, job.spec, suspects)) {
    suspects.erase(suspects.begin());
  }
  if (suspects.size() < job.suspect_nodes.size()) {
    step.cluster.SetSuspects(job.id, std::move(suspects));
  }
}

}  // namespace berth
