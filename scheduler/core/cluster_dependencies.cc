// The part of Cluster that knows who waits for whom. An undecided dependency stays in the spec of
// the one that waits, and its parent is live.

#include <optional>
#include <utility>

#include "scheduler/core/cluster.h"

namespace berth {

const std::set<JobId>& Cluster::DependentsOf(JobId parent) const {
  static const std::set<JobId> kNone;
  const auto found = dependents_.find(parent);
  return found == dependents_.end() ? kNone : found->second;
}

void Cluster::LinkJob(const Job& job) {
  if (job.array) {
    array_tasks_[job.array].insert(job.id);
  }
  for (const Dependency& dependency : job.spec.dependencies) {
    dependents_[dependency.job].insert(job.id);
  }
}

void Cluster::UnlinkDependencies(const Job& job) {
  for (const Dependency& dependency : job.spec.dependencies) {
    const auto waiting = dependents_.find(dependency.job);
    if (waiting != dependents_.end()) {
      waiting->second.erase(job.id);
      if (waiting->second.empty()) {
        dependents_.erase(waiting);
      }
    }
  }
}

void Cluster::DecideDependents(JobId parent_id, absl::Time now, std::vector<JobId>& ended) {
  const auto found = dependents_.find(parent_id);
  if (found == dependents_.end()) {
    return;
  }
  const std::vector<JobId> children(found->second.begin(), found->second.end());
  for (JobId child : children) {
    if (DecideDependent(jobs_.at(child), jobs_.at(parent_id))) {
      EndJob(child, JobState::kDependencyFailed, now);
      ended.push_back(child);
    }
  }
}

bool Cluster::DecideDependent(const Job& waiting, const Job& parent) {
  std::vector<Dependency> left;
  std::optional<JobEnd> end;
  for (const Dependency& dependency : waiting.spec.dependencies) {
    const std::optional<bool> holds = dependency.job == parent.id
                                          ? DependencyHolds(dependency.kind, parent)
                                          : std::optional<bool>();
    if (!holds.has_value()) {
      left.push_back(dependency);
    } else if (!*holds) {
      end = DependencyEnd(dependency, parent.state);
    }
  }
  if (left.size() == waiting.spec.dependencies.size()) {
    return false;
  }
  Job& child = MutableJob(waiting.id);
  UnindexPending(child);
  UnlinkDependencies(child);
  child.spec.dependencies = std::move(left);
  LinkJob(child);
  IndexPending(child);
  if (end.has_value()) {
    child.attempt.end = *std::move(end);
    return true;
  }
  return false;
}

void Cluster::DecideStarted(JobId parent) {
  // Nothing becomes impossible by a start.
  std::vector<JobId> ended;
  DecideDependents(parent, absl::InfinitePast(), ended);
}

}  // namespace berth
