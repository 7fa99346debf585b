// The part of Cluster that keeps the pending jobs: who may be planned now, in groups that look
// alike.

#include <optional>
#include <utility>

#include "scheduler/core/cluster.h"

namespace berth {

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
  const auto [known, added] = group_ids_.emplace(KeyOf(job), GroupId());
  if (added) {
    PendingGroup group;
    group.key = known->first;
    group.blocker.code = ReasonCode::kBeingEvaluated;
    KnownShape& shape = shapes_[{group.key.gang, group.key.suspect_nodes}];
    if (++shape.groups == 1) {
      shape.id = last_shape_ = ShapeId(last_shape_.value() + 1);
    }
    group.shape = shape.id;
    known->second = groups_.Add(std::move(group));
    if (!known->first.suspect_nodes.empty()) {
      avoiding_groups_.insert(known->second);
    }
  }
  return known->second;
}

void Cluster::DropGroup(GroupId id) {
  const GroupKey& key = groups_.at(id).key;
  const auto shape = shapes_.find({key.gang, key.suspect_nodes});
  if (--shape->second.groups == 0) {
    shapes_.erase(shape);
  }
  group_ids_.erase(key);
  avoiding_groups_.erase(id);
  groups_.erase(id);
}

std::optional<QueuePlace> Cluster::PlaceOf(GroupId id) const {
  const PendingGroup& group = groups_.at(id);
  if (group.ready.empty()) {
    return std::nullopt;
  }
  const JobId oldest = *group.ready.begin();
  const GangShape& gang = group.key.gang;
  const bool whole =
      !gang.classes.empty() && gang.devices_per_node > 0 && gang.device_share_milli == 0;
  return QueuePlace{.priority = group.key.priority,
                    .submitted_at = jobs_.at(oldest).submitted_at,
                    .oldest = oldest,
                    .group = id,
                    .shape = group.shape,
                    .least_devices = static_cast<int>(gang.least_devices()),
                    .whole = whole,
                    .plain = whole && gang.classes.size() == 1,
                    .preemptible = group.key.preemptible,
                    .may_borrow = group.key.may_borrow};
}

std::map<TenantId, TenantQueue>& Cluster::QueuesFor(const GangShape& gang) {
  return queues_[gang.classes.empty() ? ClassId() : gang.classes.front()];
}

template <typename Change>
void Cluster::ChangeGroup(GroupId id, Change change) {
  PendingGroup& group = groups_.at(id);
  const TenantId tenant = group.key.tenant;
  std::map<TenantId, TenantQueue>& queues = QueuesFor(group.key.gang);
  const std::optional<QueuePlace> before = PlaceOf(id);
  change(group);
  const std::optional<QueuePlace> now = PlaceOf(id);
  if (before != now) {
    TenantQueue& queue = queues[tenant];
    if (before.has_value()) {
      queue.Erase(*before, group.blocker);
    }
    if (now.has_value()) {
      queue.Insert(*now, group.blocker);
    }
    if (queue.empty()) {
      queues.erase(tenant);
    }
  }
  if (group.ready.empty() && group.waiting.empty()) {
    DropGroup(id);
  }
}

void Cluster::SetBlocker(GroupId id, const Blocker& blocker) {
  PendingGroup& group = groups_.at(id);
  if (const std::optional<QueuePlace> place = PlaceOf(id); place.has_value()) {
    QueuesFor(group.key.gang).at(group.key.tenant).ChangeBlocker(*place, group.blocker, blocker);
  }
  group.blocker = blocker;
}

void Cluster::StirFor(const GangShape& gang) {
  if (gang.devices_per_node > 0 && gang.classes.empty()) {
    StirAll();
    return;
  }
  stirred_.Stir(ClassId());
  for (const ClassId device_class : gang.classes) {
    stirred_.Stir(device_class);
  }
}

void Cluster::StirNode(NodeId id) {
  stirred_.Stir(ClassId());
  for (const ClassDevices& devices : free_index_.Site(id).classes) {
    stirred_.Stir(devices.device_class);
  }
}

bool Cluster::IsReady(const Job& job) {
  return job.not_before == absl::InfinitePast() && job.spec.dependencies.empty() &&
         Startable(job) > 0;
}

void Cluster::IndexPending(Job& job) {
  nominations_.Stir(job.id);
  const int64_t tasks = UnstartedTasks(job);
  pending_count_[job.spec.tenant] += tasks;
  if (job.state == JobState::kHeld) {
    return;
  }
  job.group = EnsureGroup(job);
  const bool ready = IsReady(job);
  ChangeGroup(job.group, [&](PendingGroup& group) {
    (ready ? group.ready : group.waiting).insert(job.id);
    group.tasks += tasks;
  });
  if (job.not_before > absl::InfinitePast()) {
    waking_.insert({job.not_before, job.id});
  }
  if (ready) {
    StirFor(job.spec.gang);
  }
}

void Cluster::UnindexPending(Job& job) {
  nominations_.Stir(job.id);
  const int64_t tasks = UnstartedTasks(job);
  pending_count_[job.spec.tenant] -= tasks;
  StirFor(job.spec.gang);
  if (job.state == JobState::kHeld) {
    return;
  }
  waking_.erase({job.not_before, job.id});
  ChangeGroup(std::exchange(job.group, GroupId()), [&](PendingGroup& group) {
    group.ready.erase(job.id);
    group.waiting.erase(job.id);
    group.tasks -= tasks;
  });
}

void Cluster::WakeJobs(absl::Time now) {
  RefreshBookings(now);
  while (!waking_.empty() && waking_.begin()->first <= now) {
    Job& job = MutableJob(waking_.begin()->second);
    UnindexPending(job);
    job.not_before = absl::InfinitePast();
    IndexPending(job);
  }
}

void Cluster::SetSpec(JobId id, JobSpec spec) {
  Job& job = MutableJob(id);
  const bool pending = IsPending(job);
  const bool holds = HoldersOf(job.attempt.device_class).contains(id);
  if (pending) {
    UnindexPending(job);
  } else if (holds) {
    IndexHolder(job, false);
  }
  job.spec = std::move(spec);
  active_times_.Note(job);
  if (pending) {
    IndexPending(job);
  } else if (holds) {
    IndexHolder(job, true);
  }
}

void Cluster::SetSuspects(JobId id, std::vector<NodeId> nodes) {
  constexpr size_t kSuspectsMax = 8;
  if (nodes.size() > kSuspectsMax) {
    nodes.erase(nodes.begin(), nodes.end() - kSuspectsMax);
  }
  Job& job = MutableJob(id);
  const bool pending = IsPending(job);
  if (pending) {
    UnindexPending(job);
  }
  job.suspect_nodes = std::move(nodes);
  if (pending) {
    IndexPending(job);
  }
}

void Cluster::SetHeld(JobId id, bool held) {
  Job& job = MutableJob(id);
  UnindexPending(job);
  Advance(job.state, held ? JobState::kHeld : JobState::kQueued);
  IndexPending(job);
}

}  // namespace berth
