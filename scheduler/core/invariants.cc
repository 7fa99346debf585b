#include "scheduler/core/invariants.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

#include "common/status_macros.h"
#include "scheduler/core/placement.h"

namespace berth {
namespace {

absl::Status Broken(absl::string_view invariant, const std::string& detail) {
  return absl::InternalError(absl::StrCat(invariant, " is broken: ", detail));
}

bool Holds(const Allocation& allocation) {
  return allocation.state != AllocationState::kReleased;
}

// I2a: at most 1000 milli of a device are given out, and the node's books say so.
absl::Status CheckDevices(const Cluster& cluster) {
  std::map<std::pair<NodeId, int>, int> in_use;
  std::map<std::pair<NodeId, int>, ShareOwner> owners;
  for (const auto& [id, allocation] : cluster.allocations()) {
    if (!Holds(allocation)) {
      continue;
    }
    const ShareOwner owner = Cluster::OwnerOf(cluster.GetJob(allocation.job));
    for (const DeviceShare& share : allocation.devices) {
      in_use[{allocation.node, share.index}] += share.milli;
      if (owners.emplace(std::pair(allocation.node, share.index), owner).first->second != owner) {
        return Broken("I2a", absl::StrFormat("node %d device %d has two owners",
                                             allocation.node.value(), share.index));
      }
    }
  }
  for (const auto& [device, milli] : in_use) {
    if (milli > kWholeDeviceMilli) {
      return Broken("I2a", absl::StrFormat("node %d device %d has %d milli given out",
                                           device.first.value(), device.second, milli));
    }
  }
  for (const auto& [id, node] : cluster.nodes()) {
    const NodeSite& site = cluster.free_index().Site(id);
    for (size_t position = 0; position < site.indices.size(); ++position) {
      const int booked = cluster.free_index().Load(id).MilliAt(static_cast<int>(position));
      const auto device = in_use.find({id, site.indices[position]});
      const int held = device == in_use.end() ? 0 : device->second;
      if (booked != held) {
        return Broken("I2a", absl::StrFormat("node %d device %d: %d milli booked, %d given out",
                                             id.value(), site.indices[position], booked, held));
      }
    }
  }
  return absl::OkStatus();
}

// The devices of each class on each node that are free by the node's facts and the allocations.
std::map<std::pair<ClassId, NodeId>, int> FreeDevices(const Cluster& cluster) {
  std::set<std::pair<NodeId, int>> taken;
  for (const auto& [id, allocation] : cluster.allocations()) {
    for (const DeviceShare& share : allocation.devices) {
      if (Holds(allocation)) {
        taken.insert({allocation.node, share.index});
      }
    }
  }
  for (const auto& [claim, start] : cluster.nominations()) {
    for (const Placement& member : start.members) {
      for (const DeviceShare& share : member.devices) {
        taken.insert({member.node, share.index});
      }
    }
  }
  std::map<std::pair<ClassId, NodeId>, int> free;
  for (const auto& [id, node] : cluster.nodes()) {
    for (const Device& device : node.facts.devices) {
      if (node.IsUsable() && device.health != DeviceHealth::kQuarantined &&
          !taken.contains({id, device.index})) {
        ++free[{device.device_class, id}];
      }
    }
  }
  return free;
}

// The free index lists exactly the free devices of usable nodes.
absl::Status CheckFreeIndex(const Cluster& cluster) {
  const std::map<std::pair<ClassId, NodeId>, int> expected = FreeDevices(cluster);
  size_t listed = 0;
  for (const auto& [device_class, name] : cluster.classes()) {
    const CountIndex& index = cluster.free_index().OfClass(device_class).free;
    int64_t devices = 0;
    for (size_t count = 1; count < index.by_count().size(); ++count) {
      for (const auto& [key, free] : expected) {
        const bool here = index.by_count()[count].contains(key.second);
        if (key.first == device_class && here != (free == static_cast<int>(count))) {
          return Broken("free index", absl::StrFormat("node %d has %d free, listed with %d: %d",
                                                      key.second.value(), free, count, here));
        }
      }
      listed += static_cast<size_t>(index.by_count()[count].size());
      devices += static_cast<int64_t>(count) * index.by_count()[count].size();
    }
    if (devices != index.devices()) {
      return Broken("free index",
                    absl::StrFormat("%s: %d listed, %d counted", name, devices, index.devices()));
    }
  }
  return listed == expected.size() ? absl::OkStatus() : Broken("free index", "a node too many");
}

// I3 and quota.md I1: use adds up, and the owned sum stays within the entitlement.
absl::Status CheckQuota(const Cluster& cluster) {
  std::map<QuotaKey, QuotaUse> expected;
  std::set<std::pair<NodeId, int>> counted;
  for (const auto& [id, allocation] : cluster.allocations()) {
    if (!Holds(allocation) || allocation.devices.empty()) {
      continue;
    }
    const Job& job = cluster.GetJob(allocation.job);
    int64_t devices = 0;  // a shared one counts once
    for (const DeviceShare& share : allocation.devices) {
      devices += counted.insert({allocation.node, share.index}).second ? 1 : 0;
    }
    for (const ProjectId project : {ProjectId(), allocation.project}) {
      QuotaUse& use = expected[{allocation.tenant, project, allocation.device_class}];
      (job.attempt.funding == Funding::kOwned ? use.owned : use.borrowed) += devices;
      use.non_preemptible += job.spec.preemptible ? 0 : devices;
    }
  }
  for (const auto& [key, use] : expected) {
    const QuotaUse booked = cluster.quota().Use(key);
    if (booked.owned != use.owned || booked.borrowed != use.borrowed ||
        booked.non_preemptible != use.non_preemptible) {
      return Broken("quota use",
                    absl::StrFormat("tenant %d: booked %d+%d, in use %d+%d", key.tenant.value(),
                                    booked.owned, booked.borrowed, use.owned, use.borrowed));
    }
    // What may not be stopped keeps its label through a cut.
    const int64_t entitlement = cluster.quota().Limits(key).entitlement;
    if (!key.project && use.owned > std::max(entitlement, use.non_preemptible)) {
      return Broken("I1 (owned sum)", absl::StrFormat("tenant %d owns %d, %d are labelled owned",
                                                      key.tenant.value(), entitlement, use.owned));
    }
  }
  return absl::OkStatus();
}

// Until its end an elastic gang gives back members above its least size only, and not rank 0.
absl::Status CheckShrinking(const Cluster& cluster, const Job& job) {
  int given_back = 0;
  bool gives_back_first = false;
  for (size_t rank = 0; rank < job.allocations.size(); ++rank) {
    const Allocation* member = cluster.FindAllocation(job.allocations[rank]);
    const bool releasing = member != nullptr && member->state == AllocationState::kReleasing;
    given_back += releasing ? 1 : 0;
    gives_back_first |= releasing && rank == 0;
  }
  const int above = static_cast<int>(job.allocations.size()) - job.spec.gang.least_nodes();
  const bool may = job.state == JobState::kRunning || job.state == JobState::kWaitNode;
  return job.state == JobState::kStopping || (!gives_back_first && given_back <= (may ? above : 0))
             ? absl::OkStatus()
             : Broken("shrinking",
                      absl::StrFormat("job %d gives back %d members, %d are above its least size",
                                      job.id.value(), given_back, above));
}

// I4: a dispatched gang has exactly its members, an elastic one as many as it may, all of the
// current attempt, on distinct nodes.
absl::Status CheckGang(const Cluster& cluster, const Job& job) {
  const auto members = static_cast<int>(job.allocations.size());
  if (members > job.spec.gang.nodes || members < job.spec.gang.least_nodes()) {
    return Broken("I4", absl::StrFormat("job %d has %d of %d members", job.id.value(),
                                        job.allocations.size(), job.spec.gang.nodes));
  }
  RETURN_IF_ERROR(CheckShrinking(cluster, job));
  std::set<NodeId> nodes;
  for (AllocationId id : job.allocations) {
    const Allocation* member = cluster.FindAllocation(id);
    if (member == nullptr || member->job != job.id || member->attempt != job.attempt.number ||
        static_cast<int>(member->devices.size()) != job.spec.gang.devices_per_node) {
      return Broken(
          "I4", absl::StrFormat("job %d: member %d is not its own", job.id.value(), id.value()));
    }
    nodes.insert(member->node);
    const bool started = member->state == AllocationState::kRunning;
    if (started && job.state == JobState::kDispatching) {
      return Broken("I4", absl::StrFormat("job %d runs before all are prepared", job.id.value()));
    }
    // Cluster::ReturningOf has all that comes back from it.
    if (job.state == JobState::kStopping && Holds(*member) &&
        member->state != AllocationState::kReleasing) {
      return Broken("stopping", absl::StrFormat("job %d stops, its member %d does not",
                                                job.id.value(), id.value()));
    }
  }
  return nodes.size() == job.allocations.size()
             ? absl::OkStatus()
             : Broken("I4", absl::StrFormat("job %d has two members on one node", job.id.value()));
}

// Who holds devices by priority is what a walk finds.
absl::Status CheckHolders(const Cluster& cluster) {
  std::map<std::tuple<TenantId, ClassId, int>, PriorityHolders> expected;
  for (JobId id : cluster.active_jobs()) {
    const Job& job = cluster.GetJob(id);
    if (job.attempt.device_class && job.spec.preemptible) {
      PriorityHolders& holders =
          expected[{job.spec.tenant, job.attempt.device_class, job.spec.priority}];
      (job.attempt.funding == Funding::kOwned ? holders.owned : holders.borrowed).insert(id);
      holders.devices += job.spec.gang.devices();
    }
  }
  size_t listed = 0;
  for (const auto& [tenant, record] : cluster.quota().tenants()) {
    for (const auto& [device_class, name] : cluster.classes()) {
      for (const auto& [priority, holders] : cluster.HoldersByPriority(tenant, device_class)) {
        const PriorityHolders& walked = expected[{tenant, device_class, priority}];
        ++listed;
        if (walked.owned != holders.owned || walked.borrowed != holders.borrowed ||
            walked.devices != holders.devices) {
          return Broken("holders",
                        absl::StrFormat("tenant %d, %s, priority %d: not those that hold",
                                        tenant.value(), name, priority));
        }
      }
    }
  }
  return listed == expected.size() ? absl::OkStatus() : Broken("holders", "a priority is missing");
}

// A nomination is stirred, or it only waits, and what it will take is in the sums.
absl::Status CheckWaitingClaims(const Cluster& cluster) {
  const WaitingClaims& claims = cluster.waiting_claims();
  const FreeView free(cluster);
  std::map<QuotaKey, QuotaUse> uses;
  size_t waiting = 0;
  for (const auto& [id, claim] : cluster.nominations()) {
    if (claims.waiting().contains(id) == claims.stirred().contains(id)) {
      return Broken("nominations", absl::StrFormat("job %d: stirred or not", id.value()));
    }
    if (!claims.waiting().contains(id)) {
      continue;
    }
    ++waiting;
    if (cluster.AwaitsOwnTenant(id) || !cluster.MayStart(claim) ||
        free.AreUnallocated(claim.members)) {
      return Broken("nominations", absl::StrFormat("job %d does not only wait", id.value()));
    }
    const JobSpec& spec = cluster.GetJob(id).spec;
    uses[{spec.tenant, spec.project, claim.device_class}].Add(
        QuotaUse::Of(DevicesOf(claim.members), claim.funding, spec.preemptible), 1);
  }
  const bool all = waiting == claims.waiting().size() &&
                   waiting + claims.stirred().size() == cluster.nominations().size();
  return all && uses == claims.uses() ? absl::OkStatus()
                                      : Broken("nominations", "not those that only wait");
}

// Nominations that cannot be used are known; each has its reclaim. Nodes keep what they will take.
absl::Status CheckNominations(const Cluster& cluster) {
  std::set<JobId> broken;
  std::map<NodeId, HostResources> kept;
  for (const auto& [id, claim] : cluster.nominations()) {
    if (!cluster.AreUsable(claim.members)) {
      broken.insert(id);
    }
    for (const Placement& member : claim.members) {
      kept[member.node] += claim.host;
    }
    const auto reclaim = cluster.open_reclaims().find(id);
    if (reclaim == cluster.open_reclaims().end()) {
      return Broken("nominations", absl::StrFormat("job %d has no reclaim", id.value()));
    }
  }
  if (cluster.nominations().size() != cluster.open_reclaims().size()) {
    return Broken("nominations", "a reclaim is left");
  }
  for (const auto& [id, node] : cluster.nodes()) {
    if (cluster.free_index().Load(id).kept != kept[id]) {
      return Broken("nominations", absl::StrFormat("node %d keeps another host", id.value()));
    }
  }
  return broken == cluster.broken_nominations()
             ? CheckWaitingClaims(cluster)
             : Broken("nominations", "not those that can't be used");
}

// What ends when, and what comes back then, is what a walk finds.
absl::Status CheckEnds(const Cluster& cluster) {
  std::map<ClassId, size_t> ends;
  std::map<ClassId, ReturningMembers> returning;
  for (JobId id : cluster.active_jobs()) {
    const Job& job = cluster.GetJob(id);
    if (!job.attempt.device_class) {
      continue;
    }
    ++ends[job.attempt.device_class];
    EndingJob walked{.running = job.state == JobState::kRunning, .grace = job.spec.grace};
    for (AllocationId member : job.allocations) {
      const Allocation& allocation = cluster.GetAllocation(member);
      const auto devices = static_cast<int64_t>(allocation.devices.size());
      if (walked.running && IsKept(allocation.state)) {
        ++walked.members;
        walked.devices += devices;
      } else if (allocation.state == AllocationState::kReleasing) {
        returning[job.attempt.device_class].allocations.insert(member);
        returning[job.attempt.device_class].devices += devices;
      }
    }
    const EndIndex& index = cluster.EndsOf(job.attempt.device_class);
    const auto known = index.find({job.ends_by, id});
    if (known == index.end() || !(known->second == walked)) {
      return Broken("ends", absl::StrFormat("job %d ends otherwise", id.value()));
    }
  }
  for (const auto& [device_class, name] : cluster.classes()) {
    const ReturningMembers& known = cluster.ReturningOf(device_class);
    const ReturningMembers& walked = returning[device_class];
    if (cluster.EndsOf(device_class).size() != ends[device_class] ||
        known.allocations != walked.allocations || known.devices != walked.devices) {
      return Broken("ends", absl::StrFormat("%s: not what comes back", name));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckJobs(const Cluster& cluster) {
  const ActiveTimes& times = cluster.active_times();
  const std::set<ActiveTimes::Entry> dispatched(times.dispatched().begin(),
                                                times.dispatched().end());
  const std::set<ActiveTimes::Entry> limits(times.limits().begin(), times.limits().end());
  for (const auto& [id, job] : cluster.jobs()) {
    const bool active = IsActive(job.state) && !job.is_array();
    if (active != cluster.active_jobs().contains(id)) {
      return Broken("active jobs", absl::StrFormat("job %d is %s", id.value(), Name(job.state)));
    }
    if (active &&
        ((job.state == JobState::kDispatching &&
          !dispatched.contains({job.attempt.created_at, id})) ||
         (job.state == JobState::kRunning && !limits.contains({ActiveTimes::LimitOf(job), id})))) {
      return Broken("active times", absl::StrFormat("job %d may be late unseen", id.value()));
    }
    if (active) {
      RETURN_IF_ERROR(CheckGang(cluster, job));
    } else if (!job.allocations.empty()) {
      return Broken("I4",
                    absl::StrFormat("job %d is %s and has members", id.value(), Name(job.state)));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckInvariants(const Cluster& cluster) {
  RETURN_IF_ERROR(CheckDevices(cluster));
  RETURN_IF_ERROR(CheckFreeIndex(cluster));
  RETURN_IF_ERROR(CheckQuota(cluster));
  RETURN_IF_ERROR(CheckJobs(cluster));
  RETURN_IF_ERROR(CheckHolders(cluster));
  RETURN_IF_ERROR(CheckEnds(cluster));
  RETURN_IF_ERROR(CheckNominations(cluster));
  return CheckPendingInvariants(cluster);
}

}  // namespace berth
