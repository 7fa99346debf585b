// Small forks of the cluster: what a forecast runs forward, without the pending jobs that come too
// late to matter.

#include <algorithm>
#include <set>
#include <utility>
#include <vector>

#include "scheduler/core/admission.h"
#include "scheduler/core/forecast.h"
#include "scheduler/core/job_progress.h"
#include "scheduler/core/plan_application.h"
#include "scheduler/core/planner.h"

namespace berth {
namespace {

// Rounds that one run may need because each is cut short.
constexpr int kCutRoundsMax = 4;

bool IsPending(const Job& job) {
  return job.state == JobState::kQueued || job.state == JobState::kHeld;
}

// Whether a gang could take a device of one of these classes; what needs none competes for cores
// and memory everywhere.
bool Competes(const GangShape& gang, const std::vector<ClassId>& classes) {
  if (gang.devices_per_node == 0 || gang.classes.empty() || classes.front() == ClassId()) {
    return true;
  }
  return std::any_of(gang.classes.begin(), gang.classes.end(), [&](ClassId id) {
    return std::find(classes.begin(), classes.end(), id) != classes.end();
  });
}

// One tenant's ready jobs of one queue, in their order.
class Line {
 public:
  Line(const Cluster& cluster, const TenantQueue& queue, const std::vector<ClassId>& classes)
      : cluster_(cluster),
        classes_(classes),
        group_(queue.places().begin()),
        end_(queue.places().end()) {
    Skip();
  }

  bool done() const { return group_ == end_; }
  JobId Take() {
    const JobId job = *job_++;
    if (job_ == cluster_.GetGroup(group_->group).ready.end()) {
      ++group_;
      Skip();
    }
    return job;
  }

 private:
  void Skip() {
    while (group_ != end_ && !Competes(cluster_.GetGroup(group_->group).key.gang, classes_)) {
      ++group_;
    }
    if (group_ != end_) {
      job_ = cluster_.GetGroup(group_->group).ready.begin();
    }
  }

  const Cluster& cluster_;
  const std::vector<ClassId>& classes_;
  absl::btree_set<QueuePlace>::const_iterator group_;
  absl::btree_set<QueuePlace>::const_iterator end_;
  std::set<JobId>::const_iterator job_;
};

// Which pending jobs a fork keeps.
class Selection {
 public:
  Selection(const Cluster& cluster, const Job& job, int pending_max)
      : cluster_(cluster),
        classes_(ClassOrder(cluster, job.spec.tenant, job.spec.gang)),
        most_(static_cast<size_t>(std::max(pending_max, 0))) {
    if (classes_.empty()) {
      classes_.push_back(ClassId());
    }
    Need(job.id);
    for (const auto& [claim, start] : cluster.nominations()) {
      Need(claim);
    }
    const size_t needed = kept_.size();
    most_ += needed;
    TakeAhead(job);
    TakeReady();
    TakeWaiting();
  }

  bool Keeps(JobId job) const { return kept_.contains(job); }
  size_t size() const { return kept_.size(); }
  bool complete() const { return complete_; }

 private:
  bool IsFull() const { return kept_.size() >= most_; }

  // A job, its array, and those that it waits for.
  void Need(JobId id) {
    std::vector<JobId> open = {id};
    while (!open.empty()) {
      const Job* job = cluster_.FindJob(open.back());
      open.pop_back();
      if (job == nullptr || !kept_.insert(job->id).second) {
        continue;
      }
      if (job->array) {
        open.push_back(job->array);
      }
      for (const Dependency& dependency : job->spec.dependencies) {
        open.push_back(dependency.job);
      }
    }
  }

  void Keep(JobId id) {
    if (kept_.contains(id)) {
      return;
    }
    if (IsFull()) {
      complete_ = false;
      return;
    }
    Need(id);
  }

  // Half of the room is for those of the own tenant that are before it.
  void TakeAhead(const Job& job) {
    const size_t half = kept_.size() + (most_ - kept_.size()) / 2;
    for (const auto& [device_class, tenants] : cluster_.queues()) {
      const auto queue = tenants.find(job.spec.tenant);
      if (queue == tenants.end()) {
        continue;
      }
      Line line(cluster_, queue->second, classes_);
      while (!line.done() && kept_.size() < half) {
        const Job& other = cluster_.GetJob(line.Take());
        if (std::pair(-other.spec.priority, other.id) < std::pair(-job.spec.priority, job.id)) {
          Keep(other.id);
        }
      }
    }
  }

  // One of every tenant and queue, then the next of each.
  void TakeReady() {
    std::vector<Line> lines;
    for (const auto& [device_class, tenants] : cluster_.queues()) {
      for (const auto& [tenant, queue] : tenants) {
        lines.emplace_back(cluster_, queue, classes_);
      }
    }
    for (bool any = true; any && complete_;) {
      any = false;
      for (Line& line : lines) {
        if (!line.done()) {
          Keep(line.Take());
          any = true;
        }
      }
    }
  }

  void TakeWaiting() {
    std::set<JobId> waiting;
    for (const auto& [id, group] : cluster_.groups()) {
      if (complete_ && Competes(group.key.gang, classes_)) {
        waiting.insert(group.waiting.begin(), group.waiting.end());
      }
    }
    for (JobId job : waiting) {
      Keep(job);
    }
  }

  const Cluster& cluster_;
  std::vector<ClassId> classes_;
  size_t most_;
  std::set<JobId> kept_;
  bool complete_ = true;
};

void Release(Job& job) {
  if (job.state == JobState::kHeld) {
    Move(job.state, JobState::kQueued);
  }
  job.not_before = absl::InfinitePast();
  job.spec.dependencies.clear();
  job.spec.array.concurrent_max = 0;
}

void CopyCenter(const Cluster& cluster, StoredState& state) {
  for (const auto& [id, name] : cluster.classes()) {
    state.nouns.classes.push_back({id, name});
  }
  for (const auto& [id, tenant] : cluster.quota().tenants()) {
    state.nouns.tenants.push_back(tenant);
  }
  for (const auto& [id, project] : cluster.quota().projects()) {
    state.nouns.projects.push_back(project);
  }
  for (const auto& [key, limits] : cluster.quota().limits()) {
    state.nouns.quotas.push_back({key, limits});
  }
  state.nouns.nodes.reserve(cluster.nodes().size());
  for (const auto& [id, node] : cluster.nodes()) {
    state.nouns.nodes.push_back(node);
    state.nouns.nodes.back().session = SessionId();
  }
}

bool IsAsked(const Cluster& cluster, const Job& job) {
  return job.state == JobState::kStopping || IsShrinking(cluster, job);
}

}  // namespace

bool IsShrinking(const Cluster& cluster, const Job& job) {
  return job.state == JobState::kRunning && job.spec.gang.min_nodes > 0 &&
         std::any_of(job.allocations.begin(), job.allocations.end(), [&](AllocationId id) {
           return cluster.GetAllocation(id).state == AllocationState::kReleasing;
         });
}

Fork MakeFork(const Cluster& cluster, JobId id, int pending_max, bool released) {
  const Job& wanted = cluster.GetJob(id);
  const Selection selection(cluster, wanted, pending_max);
  StoredState state;
  CopyCenter(cluster, state);
  state.nouns.jobs.reserve(cluster.active_jobs().size() + selection.size());
  state.nouns.allocations.reserve(cluster.allocations().size());
  for (const auto& [job_id, job] : cluster.jobs()) {
    if (IsTerminal(job.state) || (IsPending(job) && !selection.Keeps(job_id))) {
      continue;
    }
    state.nouns.jobs.push_back(job);
    for (AllocationId allocation : job.allocations) {
      state.nouns.allocations.push_back(cluster.GetAllocation(allocation));
    }
    if (released && job_id == id) {
      Release(state.nouns.jobs.back());
    }
    // Nothing of an array that is left out may be told when its task ends.
    if (job.array && IsPending(cluster.GetJob(job.array)) && !selection.Keeps(job.array)) {
      state.nouns.jobs.back().array = JobId();
    }
    state.last_job = job_id;
  }
  if (released) {
    for (Tenant& tenant : state.nouns.tenants) {
      tenant.suspended = tenant.suspended && tenant.id != wanted.spec.tenant;
    }
  }
  if (!cluster.allocations().empty()) {
    state.last_allocation = cluster.allocations().rbegin()->first;
  }
  Fork fork{Cluster(), selection.complete()};
  fork.cluster.Restore(std::move(state));
  fork.cluster.SetShapeMix(cluster.shape_mix());
  for (const auto& [booking_id, booking] : cluster.bookings()) {
    fork.cluster.PutBooking(booking);
  }
  for (const auto& [claim, start] : cluster.nominations()) {
    fork.cluster.Nominate(start, cluster.open_reclaims().at(claim));
  }
  return fork;
}

std::optional<Start> RunForkRound(Cluster& fork, const Policy& policy, JobId job, absl::Time now) {
  std::vector<NodeCommand> commands;
  const Step step{fork, policy, 0, now, commands};
  std::optional<Start> found;
  fork.WakeJobs(now);
  for (int round = 0; round < kCutRoundsMax; ++round) {
    Plan plan = MakePlan(fork, policy, now);
    const bool cut = static_cast<int>(plan.starts.size()) >= policy.starts_per_round_max;
    for (const Start& start : plan.starts) {
      if (!found.has_value() && (start.job == job || fork.GetJob(start.job).array == job)) {
        found = start;
      }
    }
    ApplyPlan(step, std::move(plan));
    if (!cut) {
      break;
    }
  }
  return found;
}

void EndInFork(Cluster& fork, const Policy& policy, JobId id, absl::Time now) {
  const Job& job = fork.GetJob(id);
  const bool shrinks = IsShrinking(fork, job);
  const bool asked = IsAsked(fork, job);
  std::vector<NodeCommand> commands;
  const Step step{fork, policy, 0, now, commands};
  for (AllocationId member : std::vector<AllocationId>(job.allocations)) {
    const AllocationState state = fork.GetAllocation(member).state;
    if (state == AllocationState::kReleased || (shrinks && state != AllocationState::kReleasing)) {
      continue;
    }
    TaskReport report;
    report.allocation = member;
    report.job = id;
    report.kind = asked ? ReportKind::kKilled : ReportKind::kExited;
    report.stop_reason = asked ? StopReason::kPreempted : StopReason::kNone;
    ApplyReport(step, report);
  }
}

void EndRecalled(Cluster& fork, const Policy& policy, absl::Time now) {
  for (JobId id : std::set<JobId>(fork.active_jobs())) {
    if (IsAsked(fork, fork.GetJob(id))) {
      EndInFork(fork, policy, id, now);
    }
  }
}

}  // namespace berth
