// The part of Cluster that knows whose devices are whose: holders and their labels.

#include <algorithm>
#include <tuple>
#include <utility>

#include "common/check.h"
#include "scheduler/core/cluster.h"

namespace berth {
namespace {

template <typename Map, typename Key>
const typename Map::mapped_type& SetAt(const Map& map, const Key& key) {
  static const typename Map::mapped_type kNone;
  const auto found = map.find(key);
  return found == map.end() ? kNone : found->second;
}

}  // namespace

const std::set<JobId>& Cluster::HoldersOf(ClassId device_class) const {
  return SetAt(holders_, device_class);
}

const std::set<JobId>& Cluster::Labelled(TenantId tenant, ClassId device_class,
                                         Funding funding) const {
  return SetAt(labelled_, std::tuple(tenant, device_class, funding));
}

const EndIndex& Cluster::EndsOf(ClassId device_class) const {
  return SetAt(ends_, device_class);
}

absl::Duration Cluster::LongestGrace(ClassId device_class) const {
  const std::map<absl::Duration, int>& graces = SetAt(graces_, device_class);
  return graces.empty() ? absl::ZeroDuration() : graces.rbegin()->first;
}

const ReturningMembers& Cluster::ReturningOf(ClassId device_class) const {
  return SetAt(returning_, device_class);
}

const std::map<int, PriorityHolders>& Cluster::HoldersByPriority(TenantId tenant,
                                                                 ClassId device_class) const {
  return SetAt(priorities_, std::pair(tenant, device_class));
}

std::optional<int> Cluster::LowestPriority(TenantId tenant, ClassId device_class) const {
  const auto& holders = HoldersByPriority(tenant, device_class);
  return holders.empty() ? std::nullopt : std::optional<int>(holders.begin()->first);
}

int64_t Cluster::DevicesBelow(int priority, TenantId tenant, ClassId device_class) const {
  int64_t devices = 0;
  for (const auto& [of, holders] : HoldersByPriority(tenant, device_class)) {
    devices += of < priority ? holders.devices : 0;
  }
  return devices;
}

void Cluster::IndexHolder(Job& job, bool holds) {
  const ClassId device_class = job.attempt.device_class;
  if (!device_class) {
    return;
  }
  std::set<JobId>& holders = holders_[device_class];
  if (holders.contains(job.id) == holds) {
    return;
  }
  std::set<JobId>& labelled = labelled_[{job.spec.tenant, device_class, job.attempt.funding}];
  if (holds) {
    holders.insert(job.id);
    labelled.insert(job.id);
    RefreshEnd(job);
  } else {
    holders.erase(job.id);
    labelled.erase(job.id);
    ends_[device_class].erase({job.ends_by, job.id});
  }
  const int sign = holds ? 1 : -1;
  std::map<absl::Duration, int>& graces = graces_[device_class];
  if ((graces[job.spec.grace] += sign) == 0) {
    graces.erase(job.spec.grace);
  }
  if (job.spec.preemptible) {
    std::map<int, PriorityHolders>& priorities = priorities_[{job.spec.tenant, device_class}];
    PriorityHolders& same = priorities[job.spec.priority];
    std::set<JobId>& jobs = job.attempt.funding == Funding::kOwned ? same.owned : same.borrowed;
    if (holds) {
      jobs.insert(job.id);
    } else {
      jobs.erase(job.id);
    }
    same.devices += sign * job.spec.gang.devices();
    if (same.owned.empty() && same.borrowed.empty()) {
      priorities.erase(job.spec.priority);
    }
  }
}

void Cluster::RefreshEnd(Job& job) {
  EndIndex& ends = ends_[job.attempt.device_class];
  ends.erase({job.ends_by, job.id});
  job.ends_by =
      job.state == JobState::kStopping
          ? absl::InfinitePast()
          : std::max(job.attempt.created_at, job.attempt.started_at) + job.spec.time_limit;
  ends.insert({
      {job.ends_by, job.id},
      EndingOf(job)
  });
}

EndingJob Cluster::EndingOf(const Job& job) const {
  EndingJob ending{.running = job.state == JobState::kRunning, .grace = job.spec.grace};
  if (!ending.running) {
    return ending;
  }
  for (AllocationId id : job.allocations) {
    const Allocation& allocation = allocations_.at(id);
    if (IsKept(allocation.state)) {
      ++ending.members;
      ending.devices += static_cast<int64_t>(allocation.devices.size());
    }
  }
  return ending;
}

void Cluster::UncountEnding(const Allocation& allocation) {
  const auto ends = ends_.find(allocation.device_class);
  if (ends == ends_.end()) {
    return;
  }
  const Job& job = jobs_.at(allocation.job);
  const auto ending = ends->second.find({job.ends_by, job.id});
  if (ending != ends->second.end() && ending->second.running) {
    --ending->second.members;
    ending->second.devices -= static_cast<int64_t>(allocation.devices.size());
  }
}

void Cluster::IndexReturning(const Allocation& allocation, bool returning) {
  ReturningMembers& members = returning_[allocation.device_class];
  const bool changed = returning ? members.allocations.insert(allocation.id).second
                                 : members.allocations.erase(allocation.id) > 0;
  if (changed) {
    members.devices += (returning ? 1 : -1) * static_cast<int64_t>(allocation.devices.size());
  }
}

int64_t Cluster::HeldDevices(const Job& job) const {
  int64_t devices = 0;
  for (AllocationId id : job.allocations) {
    const Allocation& allocation = allocations_.at(id);
    if (allocation.state != AllocationState::kReleased) {
      devices += static_cast<int64_t>(allocation.devices.size());
    }
  }
  return devices;
}

std::vector<JobId> Cluster::LabelOrder(TenantId tenant, ClassId device_class,
                                       Funding funding) const {
  std::vector<std::tuple<bool, int, absl::Time, JobId>> order;
  for (JobId id : Labelled(tenant, device_class, funding)) {
    const Job& job = jobs_.at(id);
    order.emplace_back(job.spec.preemptible, -job.spec.priority, job.attempt.created_at, id);
  }
  std::sort(order.begin(), order.end());
  std::vector<JobId> jobs;
  jobs.reserve(order.size());
  for (const auto& entry : order) {
    jobs.push_back(std::get<JobId>(entry));
  }
  return jobs;
}

std::vector<JobId> Cluster::SharersOf(const Job& job) const {
  std::vector<JobId> sharers = {job.id};
  if (job.spec.gang.device_share_milli == 0) {
    return sharers;
  }
  for (AllocationId own : job.allocations) {
    const Allocation& share = allocations_.at(own);
    for (AllocationId id : allocations_on_.at(share.node)) {
      const Allocation& other = allocations_.at(id);
      if (other.job != job.id && !share.devices.empty() && !other.devices.empty() &&
          other.devices.front().index == share.devices.front().index) {
        sharers.push_back(other.job);
      }
    }
  }
  return sharers;
}

void Cluster::Relabel(JobId id, Funding funding) {
  const int64_t devices = HeldDevices(jobs_.at(id));
  quota_.Remove(GangOf(jobs_.at(id), devices));
  for (JobId sharer : SharersOf(jobs_.at(id))) {
    IndexHolder(jobs_.at(sharer), false);
    Job& job = MutableJob(sharer);
    const ShareOwner before = OwnerOf(job);
    job.attempt.funding = funding;
    IndexHolder(job, true);
    for (AllocationId allocation : job.allocations) {
      if (allocations_.at(allocation).state != AllocationState::kReleased) {
        free_index_.Relabel(allocations_.at(allocation), before, OwnerOf(job));
      }
    }
  }
  quota_.Add(GangOf(jobs_.at(id), devices));
  stirred_.Stir(jobs_.at(id).attempt.device_class);
}

void Cluster::UpgradeLabels(TenantId tenant, ClassId device_class) {
  const QuotaKey key{tenant, ProjectId(), device_class};
  const int64_t entitlement = quota_.Limits(key).entitlement;
  if (quota_.Use(key).owned >= entitlement) {
    return;
  }
  for (JobId id : LabelOrder(tenant, device_class, Funding::kBorrowed)) {
    const Job& job = jobs_.at(id);
    if (job.state != JobState::kStopping && job.attempt.funding == Funding::kBorrowed &&
        quota_.Use(key).owned + HeldDevices(job) <= entitlement) {
      Relabel(id, Funding::kOwned);
    }
  }
}

std::vector<JobId> Cluster::YieldingLabels(TenantId tenant, ClassId device_class,
                                           int priority) const {
  std::vector<JobId> yielding;
  // As in LabelOrder, but the last first.
  std::vector<std::tuple<int, absl::Time, JobId>> order;
  for (const auto& [of, holders] : HoldersByPriority(tenant, device_class)) {
    if (of >= priority) {
      break;
    }
    for (JobId id : holders.owned) {
      const Job& job = jobs_.at(id);
      // A shared device has the label of all its jobs.
      if (job.spec.may_borrow && job.state != JobState::kStopping &&
          job.spec.gang.device_share_milli == 0) {
        order.emplace_back(-of, job.attempt.created_at, id);
      }
    }
  }
  std::sort(order.rbegin(), order.rend());
  yielding.reserve(order.size());
  for (const auto& entry : order) {
    yielding.push_back(std::get<JobId>(entry));
  }
  return yielding;
}

std::vector<JobId> Cluster::DowngradeLabels(TenantId tenant, ClassId device_class) {
  const QuotaKey key{tenant, ProjectId(), device_class};
  const int64_t entitlement = quota_.Limits(key).entitlement;
  std::vector<JobId> order = LabelOrder(tenant, device_class, Funding::kOwned);
  std::vector<JobId> changed;
  for (auto id = order.rbegin(); id != order.rend() && quota_.Use(key).owned > entitlement; ++id) {
    const Job& job = jobs_.at(*id);
    if (job.spec.preemptible && job.attempt.funding == Funding::kOwned) {
      Relabel(*id, Funding::kBorrowed);
      changed.push_back(*id);
    }
  }
  return changed;
}

void Cluster::SetAnchors(std::vector<Anchor> anchors) {
  anchors_.clear();
  for (Anchor& anchor : anchors) {
    const ClassId device_class = anchor.device_class;
    anchors_[device_class] = std::move(anchor);
  }
}

}  // namespace berth
