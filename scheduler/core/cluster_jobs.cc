// The part of Cluster that changes jobs and allocations.

#include <algorithm>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

#include "common/check.h"
#include "scheduler/core/cluster.h"

namespace berth {
namespace {

// Whether the node gives another allocation a share of the device.
bool IsShared(const Cluster& cluster, const Allocation& allocation, int index) {
  const auto& live = cluster.AllocationsOn(allocation.node);
  return std::any_of(live.begin(), live.end(), [&](AllocationId other) {
    if (other == allocation.id) {
      return false;
    }
    const std::vector<DeviceShare>& devices = cluster.GetAllocation(other).devices;
    return std::any_of(devices.begin(), devices.end(),
                       [index](const DeviceShare& share) { return share.index == index; });
  });
}

// How many of the allocation's devices nobody else has a share of: of those that are given out, and
// of those that the node has no more.
int64_t UnsharedDevices(const Cluster& cluster, const Allocation& allocation) {
  const NodeSite& site = cluster.free_index().Site(allocation.node);
  return cluster.free_index().UnusedOf(allocation) +
         std::count_if(allocation.devices.begin(), allocation.devices.end(),
                       [&](const DeviceShare& share) {
                         return site.PositionOf(share.index) < 0 &&
                                !IsShared(cluster, allocation, share.index);
                       });
}

}  // namespace

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

JobId Cluster::AddJob(JobSpec spec, absl::Time now) {
  last_job_ = JobId(last_job_.value() + 1);
  Job job;
  job.id = last_job_;
  job.state = spec.hold ? JobState::kHeld : JobState::kQueued;
  job.spec = std::move(spec);
  job.submitted_at = now;
  if (job.spec.begin_at > now) {
    job.not_before = job.spec.begin_at;
  }
  return InsertJob(std::move(job));
}

JobId Cluster::InsertJob(Job job) {
  changed_jobs_.insert(job.id);
  shape_mix_.Add(job.spec.gang);
  const JobId id = job.id;
  Job& inserted = jobs_.Put(id, std::move(job));
  LinkJob(inserted);
  IndexPending(inserted);
  return id;
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
    const Job& job = jobs_.at(allocation.job);
    // A shared device counts as one, from its first share to its last.
    quota_.Add(GangOf(job, UnsharedDevices(*this, allocation)));
    free_index_.Take(allocation, OwnerOf(job));
    if (allocation.state == AllocationState::kReleasing) {
      IndexReturning(allocation, true);
    }
    StirNode(allocation.node);
  }
  const AllocationId id = allocation.id;
  allocations_.Put(id, std::move(allocation));
}

void Cluster::StartJob(const Start& start, absl::Time now) {
  Job& job = MutableJob(start.job);
  UnindexPending(job);
  Advance(job.state, JobState::kDispatching);
  const bool first = job.attempt.state == AttemptState::kNone;
  Attempt attempt;
  attempt.number = first ? 0 : job.attempt.number + 1;
  attempt.state = job.attempt.state;
  Advance(attempt.state, AttemptState::kCreated);
  attempt.funding = start.funding;
  attempt.device_class = start.device_class;
  attempt.created_at = now;
  job.attempt = attempt;
  active_times_.Note(job);
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
  }
}

void Cluster::MoveJob(JobId id, JobState state) {
  Job& job = MutableJob(id);
  Advance(job.state, state);
  // A new attempt has its time when it is told to have started.
  if (job.attempt.started_at > absl::InfinitePast()) {
    active_times_.Note(job);
  }
  // One that starts ends as one that is dispatched.
  if (job.attempt.device_class && state != JobState::kStarting) {
    RefreshEnd(job);
    // What one that stops holds can be counted on from now on.
    if (state == JobState::kStopping) {
      stirred_.Stir(job.attempt.device_class);
    }
  }
}

void Cluster::MoveAttempt(JobId id, AttemptState state) {
  Advance(MutableJob(id).attempt.state, state);
}

void Cluster::SetRendezvous(JobId id, absl::string_view address, int port) {
  Job& job = MutableJob(id);
  job.attempt.rendezvous_address = std::string(address);
  job.attempt.rendezvous_port = port;
}

void Cluster::SetStarted(JobId id, absl::Time now, absl::Duration kill_timeout) {
  Job& job = MutableJob(id);
  job.attempt.started_at = now;
  active_times_.Note(job);
  if (job.attempt.device_class) {
    RefreshEnd(job);
    if (job.spec.time_limit <= job.spec.grace + kill_timeout) {
      stirred_.Stir(job.attempt.device_class);
    }
  }
  DecideStarted(id);
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

void Cluster::SetStop(JobId id, absl::Duration grace, StopReason reason) {
  Job& job = MutableJob(id);
  const bool again = job.state == JobState::kStopping;
  job.attempt.stop_grace = again ? std::min(job.attempt.stop_grace, grace) : grace;
  job.attempt.stop_reason = again ? job.attempt.stop_reason : reason;
}

void Cluster::SetCheckpoint(JobId id, absl::Time at) {
  MutableJob(id).attempt.checkpoint_at = at;
}

void Cluster::SetNotice(JobId id, JobNotice notice) {
  MutableJob(id).attempt.notice = std::make_shared<const JobNotice>(std::move(notice));
}

void Cluster::MoveAllocation(AllocationId id, AllocationState state) {
  Allocation& allocation = MutableAllocation(id);
  const bool kept = IsKept(allocation.state);
  Advance(allocation.state, state);
  if (state == AllocationState::kReleasing) {
    IndexReturning(allocation, true);
    if (kept) {
      UncountEnding(allocation);
    }
  }
  MutableJob(allocation.job);
}

void Cluster::MarkSent(AllocationId id, absl::Time now) {
  allocations_.at(id).sent_at = now;
}

void Cluster::ReleaseAllocation(AllocationId id, ReleaseEvidence evidence, absl::Time now) {
  Allocation& allocation = MutableAllocation(id);
  if (IsKept(allocation.state)) {
    UncountEnding(allocation);
  }
  Advance(allocation.state, AllocationState::kReleased);
  allocation.evidence = evidence;
  allocation.released_at = now;
  allocations_on_.at(allocation.node).erase(id);
  IndexReturning(allocation, false);
  free_index_.Release(allocation, OwnerOf(jobs_.at(allocation.job)));
  nominations_.StirThoseFor(allocation, free_index_);
  StirNode(allocation.node);
  stirred_.Stir(allocation.device_class);
  const Job& job = MutableJob(allocation.job);
  quota_.Remove(GangOf(job, UnsharedDevices(*this, allocation)));
  if (job.attempt.funding == Funding::kOwned) {
    UpgradeLabels(job.spec.tenant, job.attempt.device_class);
  }
}

std::vector<JobId> Cluster::TakeActiveBefore(absl::Time dispatched, absl::Time limit) {
  // Of jobs that are over nothing need be known: then it stays as small as what is active.
  constexpr size_t kFew = 64;
  if (active_times_.size() > 2 * active_jobs_.size() + kFew) {
    active_times_ = ActiveTimes();
    for (JobId id : active_jobs_) {
      active_times_.Note(jobs_.at(id));
    }
  }
  return active_times_.TakeBefore(dispatched, limit);
}

void Cluster::FinishJob(JobId id, JobState state, absl::Time now) {
  EndJob(id, state, now);
  // Its array and those that wait for it may end with it, and theirs in turn.
  std::vector<JobId> ended = {id};
  while (!ended.empty()) {
    const JobId next = ended.back();
    ended.pop_back();
    NoteTaskEnded(next, now, ended);
    DecideDependents(next, now, ended);
  }
}

void Cluster::EndJob(JobId id, JobState state, absl::Time now) {
  Job& job = MutableJob(id);
  BERTH_CHECK(HeldDevices(job) == 0);
  if (IsPending(job)) {
    UnindexPending(job);
  }
  UnlinkDependencies(job);
  if (job.attempt.state == AttemptState::kStopping) {
    Advance(job.attempt.state, AttemptState::kEnded);
    job.attempt.ended_at = now;
  }
  if (job.is_array() && job.state == JobState::kRunning) {
    Advance(job.state, JobState::kStopping);
  }
  Advance(job.state, state);
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
  Advance(job.attempt.state, AttemptState::kEnded);
  job.attempt.ended_at = now;
  new_nouns_.attempts.push_back({id, job.attempt});
  for (AllocationId allocation : std::exchange(job.allocations, {})) {
    changed_allocations_.insert(allocation);
  }
  Advance(job.state, JobState::kQueued);
  active_jobs_.erase(id);
  IndexHolder(job, false);
  // What somebody asked for is nobody's failure.
  job.requeues += job.attempt.end.reason == EndReason::kAdmin ? 0 : 1;
  job.not_before = not_before;
  IndexPending(job);
}

}  // namespace berth
