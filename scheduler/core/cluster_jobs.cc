// The part of Cluster that changes jobs and allocations.

#include <algorithm>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

#include "common/check.h"
#include "scheduler/core/cluster.h"

namespace berth {

Job& Cluster::MutableJob(JobId id) {
  changed_jobs_.insert(id);
  Job& job = jobs_.at(id);
  ++job.version;
  return job;
}

Allocation& Cluster::MutableAllocation(AllocationId id) {
  changed_allocations_.insert(id);
  return allocations_.at(id);
}

GroupKey Cluster::KeyOf(const Job& job) {
  return {job.spec.tenant,
          job.spec.project,
          job.spec.priority,
          job.spec.preemptible,
          job.spec.may_borrow,
          absl::ToInt64Milliseconds(job.spec.time_limit),
          absl::ToInt64Milliseconds(job.spec.grace),
          job.spec.gang,
          job.suspect_nodes};
}

bool Cluster::IsPending(const Job& job) {
  return job.state == JobState::kQueued || job.state == JobState::kHeld;
}

GroupId Cluster::EnsureGroup(const Job& job) {
  const auto [known, added] = group_ids_.emplace(KeyOf(job), GroupId(last_group_.value() + 1));
  if (added) {
    last_group_ = known->second;
    groups_[last_group_].key = known->first;
    groups_[last_group_].blocker.code = ReasonCode::kBeingEvaluated;
  }
  return known->second;
}

template <typename Change>
void Cluster::ChangeGroup(GroupId id, Change change) {
  PendingGroup& group = groups_.at(id);
  const auto place = [&] { return QueuePlace{group.key.priority, *group.ready.begin(), id}; };
  const TenantId tenant = group.key.tenant;
  std::map<TenantId, TenantQueue>& queues =
      queues_[group.key.gang.classes.empty() ? ClassId() : group.key.gang.classes.front()];
  TenantQueue& queue = queues[tenant];
  if (!group.ready.empty()) {
    queue.erase(place());
  }
  change(group);
  if (!group.ready.empty()) {
    queue.insert(place());
  } else if (group.waiting.empty()) {
    group_ids_.erase(group.key);
    groups_.erase(id);
  }
  if (queue.empty()) {
    queues.erase(tenant);
  }
}

void Cluster::IndexPending(Job& job) {
  ++pending_count_[job.spec.tenant];
  if (job.state == JobState::kHeld) {
    return;
  }
  job.group = EnsureGroup(job);
  if (job.not_before > absl::InfinitePast()) {
    ChangeGroup(job.group, [&](PendingGroup& group) { group.waiting.insert(job.id); });
    waking_.insert({job.not_before, job.id});
    return;
  }
  ChangeGroup(job.group, [&](PendingGroup& group) { group.ready.insert(job.id); });
  ++plan_version_;
}

void Cluster::UnindexPending(Job& job) {
  --pending_count_[job.spec.tenant];
  if (job.state == JobState::kHeld) {
    return;
  }
  waking_.erase({job.not_before, job.id});
  ChangeGroup(std::exchange(job.group, GroupId()), [&](PendingGroup& group) {
    group.ready.erase(job.id);
    group.waiting.erase(job.id);
  });
}

void Cluster::WakeJobs(absl::Time now) {
  while (!waking_.empty() && waking_.begin()->first <= now) {
    Job& job = MutableJob(waking_.begin()->second);
    UnindexPending(job);
    job.not_before = absl::InfinitePast();
    IndexPending(job);
  }
}

std::optional<absl::Time> Cluster::NextWake() const {
  return waking_.empty() ? std::nullopt : std::optional<absl::Time>(waking_.begin()->first);
}

void Cluster::SetBlocker(GroupId id, const Blocker& blocker) {
  const auto found = groups_.find(id);
  if (found != groups_.end()) {
    found->second.blocker = blocker;
  }
}

JobId Cluster::AddJob(JobSpec spec, absl::Time now) {
  last_job_ = JobId(last_job_.value() + 1);
  Job job;
  job.id = last_job_;
  job.state = spec.hold ? JobState::kHeld : JobState::kQueued;
  job.spec = std::move(spec);
  job.submitted_at = now;
  changed_jobs_.insert(job.id);
  const auto inserted = jobs_.emplace_hint(jobs_.end(), job.id, std::move(job));
  IndexPending(inserted->second);
  return inserted->first;
}

void Cluster::SetHeld(JobId id, bool held) {
  Job& job = MutableJob(id);
  UnindexPending(job);
  Move(job.state, held ? JobState::kHeld : JobState::kQueued);
  IndexPending(job);
}

void Cluster::RequestCancel(JobId id) {
  MutableJob(id).cancel_requested = true;
}

QuotaTree::Gang Cluster::GangOf(const Job& job, int64_t devices) {
  return {.tenant = job.spec.tenant,
          .project = job.spec.project,
          .device_class = job.attempt.device_class,
          .devices = devices,
          .funding = job.attempt.funding,
          .preemptible = job.spec.preemptible};
}

void Cluster::AdoptAllocation(Allocation allocation) {
  if (allocation.state != AllocationState::kReleased) {
    allocations_on_.at(allocation.node).insert(allocation.id);
    TakeDevices(allocation, 1);
    const Job& job = jobs_.at(allocation.job);
    quota_.Add(GangOf(job, static_cast<int64_t>(allocation.devices.size())));
  }
  const AllocationId id = allocation.id;
  allocations_[id] = std::move(allocation);
}

void Cluster::TakeDevices(const Allocation& allocation, int sign) {
  std::map<int, int>& in_use = loads_.at(allocation.node).device_milli;
  for (const DeviceShare& share : allocation.devices) {
    int& milli = in_use[share.index];
    milli += sign * share.milli;
    BERTH_CHECK(milli >= 0 && milli <= kWholeDeviceMilli);
    if (milli == 0) {
      in_use.erase(share.index);
    }
  }
}

void Cluster::StartJob(const Start& start, absl::Time now) {
  Job& job = MutableJob(start.job);
  UnindexPending(job);
  Move(job.state, JobState::kDispatching);
  const bool first = job.attempt.state == AttemptState::kNone;
  Attempt attempt;
  attempt.number = first ? 0 : job.attempt.number + 1;
  attempt.state = job.attempt.state;
  Move(attempt.state, AttemptState::kCreated);
  attempt.funding = start.funding;
  attempt.device_class = start.device_class;
  attempt.created_at = now;
  job.attempt = attempt;
  job.allocations.clear();
  active_jobs_.insert(job.id);
  IndexHolder(job, true);
  for (size_t rank = 0; rank < start.members.size(); ++rank) {
    const Placement& member = start.members[rank];
    last_allocation_ = AllocationId(last_allocation_.value() + 1);
    Allocation allocation;
    allocation.id = last_allocation_;
    allocation.job = job.id;
    allocation.attempt = attempt.number;
    allocation.rank = static_cast<int>(rank);
    allocation.node = member.node;
    allocation.tenant = job.spec.tenant;
    allocation.project = job.spec.project;
    allocation.device_class = start.device_class;
    allocation.devices = member.devices;
    allocation.host = job.spec.gang.per_node;
    allocation.reserved_at = now;
    UpdateNode(member.node,
               [&allocation](Node& node) { allocation.assign_seq = ++node.assign_seq; });
    job.allocations.push_back(allocation.id);
    changed_allocations_.insert(allocation.id);
    AdoptAllocation(std::move(allocation));
    RefreshNode(member.node);
  }
}

void Cluster::MoveJob(JobId id, JobState state) {
  Move(MutableJob(id).state, state);
}
void Cluster::MoveAttempt(JobId id, AttemptState state) {
  Move(MutableJob(id).attempt.state, state);
}

void Cluster::SetRendezvous(JobId id, absl::string_view address, int port) {
  Job& job = MutableJob(id);
  job.attempt.rendezvous_address = std::string(address);
  job.attempt.rendezvous_port = port;
}

void Cluster::SetStarted(JobId id, absl::Time now) {
  MutableJob(id).attempt.started_at = now;
}

void Cluster::SetEnd(JobId id, const JobEnd& end) {
  Job& job = MutableJob(id);
  if (job.attempt.end.reason == EndReason::kNone) {
    job.attempt.end = end;
  }
}

void Cluster::ReplaceEnd(JobId id, const JobEnd& end) {
  MutableJob(id).attempt.end = end;
}

void Cluster::SetStopGrace(JobId id, absl::Duration grace) {
  Job& job = MutableJob(id);
  job.attempt.stop_grace =
      job.state == JobState::kStopping ? std::min(job.attempt.stop_grace, grace) : grace;
}

void Cluster::MoveAllocation(AllocationId id, AllocationState state) {
  Allocation& allocation = MutableAllocation(id);
  Move(allocation.state, state);
  MutableJob(allocation.job);
}

void Cluster::MarkSent(AllocationId id, absl::Time now) {
  allocations_.at(id).sent_at = now;
}

void Cluster::ReleaseAllocation(AllocationId id, ReleaseEvidence evidence, absl::Time now) {
  Allocation& allocation = MutableAllocation(id);
  Move(allocation.state, AllocationState::kReleased);
  allocation.evidence = evidence;
  allocation.released_at = now;
  allocations_on_.at(allocation.node).erase(id);
  TakeDevices(allocation, -1);
  const Job& job = MutableJob(allocation.job);
  quota_.Remove(GangOf(job, static_cast<int64_t>(allocation.devices.size())));
  RefreshNode(allocation.node);
  if (job.attempt.funding == Funding::kOwned) {
    UpgradeLabels(job.spec.tenant, job.attempt.device_class);
  }
}

void Cluster::FinishJob(JobId id, JobState state, absl::Time now) {
  Job& job = MutableJob(id);
  BERTH_CHECK(HeldDevices(job) == 0);
  if (IsPending(job)) {
    UnindexPending(job);
  }
  if (job.attempt.state == AttemptState::kStopping) {
    Move(job.attempt.state, AttemptState::kEnded);
    job.attempt.ended_at = now;
  }
  Move(job.state, state);
  job.ended_at = now;
  active_jobs_.erase(id);
  IndexHolder(job, false);
  for (AllocationId allocation : std::exchange(job.allocations, {})) {
    changed_allocations_.insert(allocation);
  }
}

void Cluster::RequeueJob(JobId id, absl::Time not_before, absl::Time now) {
  Job& job = MutableJob(id);
  BERTH_CHECK(HeldDevices(job) == 0);
  Move(job.attempt.state, AttemptState::kEnded);
  job.attempt.ended_at = now;
  new_nouns_.attempts.push_back({id, job.attempt});
  for (AllocationId allocation : std::exchange(job.allocations, {})) {
    changed_allocations_.insert(allocation);
  }
  Move(job.state, JobState::kQueued);
  active_jobs_.erase(id);
  IndexHolder(job, false);
  ++job.requeues;
  job.not_before = not_before;
  IndexPending(job);
}

}  // namespace berth
