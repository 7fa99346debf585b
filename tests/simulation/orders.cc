#include "tests/simulation/orders.h"

#include <algorithm>
#include <variant>

#include "absl/strings/str_format.h"

namespace berth {
namespace {

std::string Named(const Job& job) {
  return absl::StrFormat("job %d of tenant %d", job.id.value(), job.spec.tenant.value());
}

}  // namespace

int Orders::Wish::Left() const {
  int left = 0;
  for (int position = 0; position < array.count; ++position) {
    const int index = array.IndexAt(position);
    left += tasks.contains(index) || cancelled_tasks.contains(index) ? 0 : 1;
  }
  return left;
}

void Orders::Note(const Cluster& cluster, const UserEvent& event, const Outcome& outcome,
                  Findings& findings) {
  if (const auto* submit = std::get_if<SubmitJob>(&event)) {
    findings.Expect("suspended tenants submit nothing", !suspended_.contains(submit->spec.tenant),
                    absl::StrFormat("job %d was accepted", outcome.job.value()));
    NoteSubmitted(*submit, outcome.job);
  } else if (const auto* cancel = std::get_if<CancelJob>(&event)) {
    NoteCancelled(*cancel, outcome, findings);
  } else if (const auto* hold = std::get_if<HoldJob>(&event)) {
    held_.insert(hold->job);
  } else if (const auto* release = std::get_if<ReleaseJob>(&event)) {
    held_.erase(release->job);
  } else if (const auto* suspend = std::get_if<SuspendTenant>(&event)) {
    const TenantId tenant = cluster.quota().FindTenantByName(suspend->tenant)->id;
    if (suspend->suspended) {
      suspended_.insert(tenant);
    } else {
      suspended_.erase(tenant);
    }
  }
}

void Orders::NoteSubmitted(const SubmitJob& request, JobId job) {
  Wish& wish = wishes_[job];
  wish.begin_at = request.spec.begin_at;
  wish.dependencies = request.spec.dependencies;
  wish.array = request.spec.array;
  if (request.spec.hold) {
    held_.insert(job);
  }
}

void Orders::NoteCancelled(const CancelJob& request, const Outcome& outcome, Findings& findings) {
  Wish& wish = wishes_[request.job];
  if (request.tasks.empty()) {
    wish.is_cancelled = true;
    return;
  }
  const std::vector<int> indexes = IndexesOf(request.tasks);
  wish.cancelled_tasks.insert(indexes.begin(), indexes.end());
  if (wish.Left() == 0 && !wish.tasks.empty()) {
    started_.insert(request.job);  // no task of it is still to start
  }
  const CancelledTasks& told = outcome.tasks;
  findings.Expect(
      "cancelled tasks told",
      told.stopping + told.waiting + told.before + told.ended == static_cast<int>(indexes.size()),
      absl::StrFormat("of array %d not every task is told of", request.job.value()));
}

void Orders::NoteProgress(const Cluster& cluster, const Changes& changes, Findings& findings) {
  for (JobId id : cluster.active_jobs()) {
    if (cluster.GetJob(id).attempt.started_at > absl::InfinitePast()) {
      started_.insert(id);
    }
  }
  for (const Job& job : changes.jobs) {
    if (job.is_array() && job.state == JobState::kRunning) {
      started_.insert(job.id);
    }
    if (job.array) {
      wishes_[job.array].tasks.insert(job.array_index);
    }
    if (!IsTerminal(job.state)) {
      continue;
    }
    ended_[job.id] = job.state;
    if (job.array) {
      Wish& array = wishes_[job.array];
      array.succeeded += job.state == JobState::kSucceeded ? 1 : 0;
      array.failed +=
          job.state != JobState::kSucceeded && job.state != JobState::kCancelled ? 1 : 0;
    }
  }
  for (const Job& job : changes.jobs) {
    if (job.is_array() && IsTerminal(job.state)) {
      CheckArrayEnd(job, findings);
    }
  }
}

// Each task ran to its end or was cancelled; and what never started was cancelled by somebody, or
// too many had failed.
void Orders::CheckArrayEnd(const Job& array, Findings& findings) const {
  const auto found = wishes_.find(array.id);
  if (found == wishes_.end() || found->second.array.count == 0 ||
      array.state == JobState::kDependencyFailed) {
    return;
  }
  const Wish& wish = found->second;
  const int left = wish.Left();
  const bool failed_often = wish.array.fails_max > 0 && wish.failed >= wish.array.fails_max;
  findings.Expect("arrays add up",
                  array.tasks.succeeded == wish.succeeded && array.tasks.failed == wish.failed &&
                      array.tasks.ended() == wish.array.count &&
                      (left == 0 || wish.is_cancelled || failed_often),
                  absl::StrFormat("%s ended with %d succeeded, %d failed and %d cancelled tasks: "
                                  "%d and %d are known, and %d did not start",
                                  Named(array), array.tasks.succeeded, array.tasks.failed,
                                  array.tasks.cancelled, wish.succeeded, wish.failed, left));
}

bool Orders::Holds(const Dependency& dependency) const {
  const auto ended = ended_.find(dependency.job);
  return (dependency.kind == DependencyKind::kStarted && started_.contains(dependency.job)) ||
         (ended != ended_.end() && DependencyHolds(dependency.kind, ended->second).value_or(false));
}

void Orders::CheckMayStart(const Job& job, absl::Time now, Findings& findings) const {
  if (!suspended_.empty()) {
    findings.Expect("suspended tenants start nothing", !suspended_.contains(job.spec.tenant),
                    Named(job) + " starts though its tenant is suspended");
  }
  if (!held_.empty()) {
    findings.Expect("held jobs wait", !held_.contains(job.id),
                    Named(job) + " starts though it is held");
  }
  for (JobId id : {job.id, job.array}) {
    const auto found = wishes_.find(id);
    if (found == wishes_.end()) {
      continue;
    }
    const Wish& wish = found->second;
    if (wish.begin_at > absl::InfinitePast()) {
      findings.Expect("begin times", wish.begin_at <= now, Named(job) + " starts too early");
    }
    for (const Dependency& dependency : wish.dependencies) {
      findings.Expect("dependencies", Holds(dependency),
                      Named(job) + " starts though what it waits for does not hold");
    }
    if (wish.is_cancelled || !wish.cancelled_tasks.empty()) {
      findings.Expect("what is cancelled",
                      !wish.is_cancelled && !wish.cancelled_tasks.contains(job.array_index),
                      Named(job) + " starts though it was cancelled");
    }
  }
}

void Orders::CheckBounds(const Cluster& cluster, const Job& array, int starts,
                         Findings& findings) const {
  const auto found = wishes_.find(array.id);
  if (found == wishes_.end()) {
    return;
  }
  const ArrayRange& bounds = found->second.array;
  if (bounds.concurrent_max > 0) {
    const auto live =
        std::count_if(cluster.jobs().begin(), cluster.jobs().end(), [&](const auto& entry) {
          return entry.second.array == array.id && !IsTerminal(entry.second.state);
        });
    findings.Expect("tasks at a time", live + starts <= bounds.concurrent_max,
                    Named(array) + " starts more tasks at a time than it may");
  }
  if (bounds.fails_max > 0) {
    findings.Expect("failed tasks", found->second.failed < bounds.fails_max,
                    Named(array) + " goes on though as many tasks have failed as may");
  }
}

// A task that has a claim is a job of its own, but has not started.
void Orders::CheckTask(const Job& job, Findings& findings) const {
  const auto found = wishes_.find(job.array);
  if (found == wishes_.end() || job.attempt.state != AttemptState::kNone) {
    return;
  }
  const Wish& wish = found->second;
  if (wish.array.fails_max > 0) {
    findings.Expect("failed tasks", wish.failed < wish.array.fails_max,
                    Named(job) + " starts though as many tasks of its array have failed as may");
  }
}

void Orders::CheckPlan(const PlanView& view, Findings& findings) const {
  std::map<JobId, int> starts;
  for (const Start& start : view.plan.starts) {
    const Job& job = view.cluster.GetJob(start.job);
    CheckMayStart(job, view.now, findings);
    CheckTask(job, findings);
    if (job.is_array()) {
      CheckBounds(view.cluster, job, ++starts[job.id], findings);
    }
  }
  for (const Recall& recall : view.plan.recalls) {
    CheckMayStart(view.cluster.GetJob(recall.claim.job), view.now, findings);
    CheckTask(view.cluster.GetJob(recall.claim.job), findings);
  }
  for (const Anchor& anchor : view.plan.anchors) {
    CheckMayStart(view.cluster.GetJob(anchor.job), view.now, findings);
  }
}

void Orders::CheckStarted(const Cluster& cluster, absl::Time now, Findings& findings) const {
  for (JobId id : cluster.active_jobs()) {
    const Job& job = cluster.GetJob(id);
    if (!job.array || (job.state != JobState::kDispatching && job.state != JobState::kStarting)) {
      continue;
    }
    CheckMayStart(job, now, findings);
  }
}

void Orders::CheckSuspensions(const Cluster& cluster, Findings& findings) const {
  for (const auto& [id, tenant] : cluster.quota().tenants()) {
    findings.Expect("suspension as ordered", tenant.suspended == suspended_.contains(id),
                    absl::StrFormat("tenant %d", id.value()));
  }
}

void Orders::CheckRest(const Cluster& cluster, absl::Time now, Findings& findings) const {
  for (const auto& [id, claim] : cluster.nominations()) {
    CheckMayStart(cluster.GetJob(id), now, findings);
    CheckTask(cluster.GetJob(id), findings);
  }
  for (const auto& [device_class, anchor] : cluster.anchors()) {
    if (const Job* job = cluster.FindJob(anchor.job); job != nullptr) {
      CheckMayStart(*job, now, findings);
    }
  }
}

}  // namespace berth
