#include "tests/simulation/center_books.h"

#include <algorithm>

namespace berth {

std::string DomainOf(TopologyLevel level, const Node& node) {
  const TopologyPath& path = node.facts.topology;
  switch (level) {
    case TopologyLevel::kNone:
    case TopologyLevel::kRing:
    case TopologyLevel::kPod:
      return path.pod;
    case TopologyLevel::kBlock:
      return path.block;
    case TopologyLevel::kRack:
      return path.rack;
  }
  return "";
}

CenterBooks::CenterBooks(const Cluster& cluster) : cluster_(cluster) {
  for (const auto& [id, node] : cluster.nodes()) {
    hosts_[id] = node.facts.capacity;
    for (const Device& device : node.facts.devices) {
      devices_[id][device.index] = {
          .device_class = device.device_class,
          .usable = node.IsUsable() && device.health != DeviceHealth::kQuarantined,
          .ring = device.ring};
    }
  }
  for (const auto& [id, allocation] : cluster.allocations()) {
    if (allocation.state == AllocationState::kReleased) {
      continue;
    }
    const Job& job = cluster.GetJob(allocation.job);
    const int64_t count = NewDevices({
        {allocation.node, allocation.devices}
    });
    Use& use = uses_[{allocation.tenant, allocation.device_class}];
    (job.attempt.funding == Funding::kOwned ? use.owned : use.borrowed) += count;
    use.non_preemptible += job.spec.preemptible ? 0 : count;
    project_uses_[{allocation.project, allocation.device_class}] += count;
    Hold(job, job.attempt.funding, {allocation.node, allocation.devices});
  }
  for (const auto& [id, claim] : cluster.nominations()) {
    const Job* job = cluster.FindJob(id);
    for (const Placement& member : claim.members) {
      for (const DeviceShare& share : member.devices) {
        devices_[member.node][share.index].nominated = true;
      }
    }
    if (job != nullptr) {
      nominated_[{job->spec.tenant, claim.device_class}] += CountDevices(claim.members);
      project_claims_[{job->spec.project, claim.device_class}] += CountDevices(claim.members);
    }
  }
}

void CenterBooks::Hold(const Job& job, Funding funding, const Placement& member) {
  for (const DeviceShare& share : member.devices) {
    DeviceState& device = devices_[member.node][share.index];
    device.milli += share.milli;
    device.sharer = share.milli < kWholeDeviceMilli ? job.id : JobId();
    device.owner = funding == Funding::kOwned ? job.spec.tenant : TenantId();
  }
  hosts_[member.node] -= job.spec.gang.per_node;
}

int64_t CenterBooks::NewDevices(const std::vector<Placement>& members) const {
  int64_t count = 0;
  for (const Placement& member : members) {
    for (const DeviceShare& share : member.devices) {
      const DeviceState* device = FindDevice(member.node, share.index);
      count += device == nullptr || !device->held() ? 1 : 0;
    }
  }
  return count;
}

CenterBooks::Use CenterBooks::UseOf(TenantId tenant, ClassId device_class) const {
  const auto found = uses_.find({tenant, device_class});
  return found == uses_.end() ? Use() : found->second;
}

int64_t CenterBooks::ProjectUse(ProjectId project, ClassId device_class) const {
  const auto found = project_uses_.find({project, device_class});
  return found == project_uses_.end() ? 0 : found->second;
}

int64_t CenterBooks::ProjectClaims(ProjectId project, ClassId device_class) const {
  const auto found = project_claims_.find({project, device_class});
  return found == project_claims_.end() ? 0 : found->second;
}

const CenterBooks::DeviceState* CenterBooks::FindDevice(NodeId node, int index) const {
  const auto devices = devices_.find(node);
  if (devices == devices_.end()) {
    return nullptr;
  }
  const auto found = devices->second.find(index);
  return found == devices->second.end() ? nullptr : &found->second;
}

int64_t CenterBooks::FreeDevices(ClassId device_class) const {
  int64_t count = 0;
  for (const auto& [id, devices] : devices_) {
    for (const auto& [index, device] : devices) {
      count += device.device_class == device_class && device.free() ? 1 : 0;
    }
  }
  return count;
}

int64_t CenterBooks::UsableDevices(ClassId device_class) const {
  int64_t count = 0;
  for (const auto& [id, devices] : devices_) {
    for (const auto& [index, device] : devices) {
      count += device.device_class == device_class && device.usable ? 1 : 0;
    }
  }
  return count;
}

int64_t CenterBooks::NominatedFor(TenantId tenant, ClassId device_class) const {
  const auto found = nominated_.find({tenant, device_class});
  return found == nominated_.end() ? 0 : found->second;
}

int64_t CenterBooks::TakeLabel(const Job& job) {
  int64_t count = 0;
  for (AllocationId id : job.allocations) {
    const Allocation& allocation = cluster_.GetAllocation(id);
    for (const DeviceShare& share : allocation.devices) {
      if (allocation.state != AllocationState::kReleased) {
        devices_[allocation.node][share.index].owner = TenantId();
        ++count;
      }
    }
  }
  Use& use = uses_[{job.spec.tenant, job.attempt.device_class}];
  use.owned -= count;
  use.borrowed += count;
  return count;
}

void CenterBooks::Start(const Job& job, const berth::Start& start) {
  for (JobId id : start.relabelled) {
    TakeLabel(cluster_.GetJob(id));
  }
  const int64_t count = NewDevices(start.members);
  for (const Placement& member : start.members) {
    Hold(job, start.funding, member);
  }
  Lapse(job.id);
  Use& use = uses_[{job.spec.tenant, start.device_class}];
  (start.funding == Funding::kOwned ? use.owned : use.borrowed) += count;
  use.non_preemptible += job.spec.preemptible ? 0 : count;
  project_uses_[{job.spec.project, start.device_class}] += count;
}

void CenterBooks::Lapse(JobId claim) {
  const auto found = cluster_.nominations().find(claim);
  if (found == cluster_.nominations().end()) {
    return;
  }
  for (const Placement& member : found->second.members) {
    for (const DeviceShare& share : member.devices) {
      devices_[member.node][share.index].nominated = false;
    }
  }
  if (const Job* job = cluster_.FindJob(claim); job != nullptr) {
    nominated_[{job->spec.tenant, found->second.device_class}] -=
        CountDevices(found->second.members);
  }
}

void CenterBooks::Nominate(const Job& job, const berth::Start& claim) {
  for (const Placement& member : claim.members) {
    for (const DeviceShare& share : member.devices) {
      devices_[member.node][share.index].nominated = true;
    }
    hosts_[member.node] -= job.spec.gang.per_node;
  }
  nominated_[{job.spec.tenant, claim.device_class}] += CountDevices(claim.members);
}

void CenterBooks::KeepHosts() {
  for (const auto& [id, claim] : cluster_.nominations()) {
    for (const Placement& member : claim.members) {
      hosts_[member.node] -= cluster_.GetJob(id).spec.gang.per_node;
    }
  }
}

void CenterBooks::KeepHosts(const std::map<NodeId, HostResources>& claimed) {
  for (const auto& [node, host] : claimed) {
    hosts_[node] -= host;
  }
}

void CenterBooks::Give(const Allocation& allocation) {
  if (allocation.state != AllocationState::kReleased) {
    for (const DeviceShare& share : allocation.devices) {
      DeviceState& device = devices_[allocation.node][share.index];
      device.milli -= share.milli;
      device.owner = device.held() ? device.owner : TenantId();
    }
    hosts_[allocation.node] += allocation.host;
  }
}

void CenterBooks::Give(const Job& job) {
  for (AllocationId id : job.allocations) {
    Give(cluster_.GetAllocation(id));
  }
}

bool CenterBooks::HasRoom(const Devices& devices, ClassId device_class, int count) {
  std::map<std::string, int> free;
  int all = 0;
  std::map<std::string, int> usable;
  for (const auto& [index, device] : devices) {
    if (device.device_class == device_class) {
      free[device.ring] += device.free() ? 1 : 0;
      usable[device.ring] += device.usable ? 1 : 0;
      all += device.free() ? 1 : 0;
    }
  }
  const auto at_least = [count](const auto& ring) { return ring.second >= count; };
  return std::any_of(usable.begin(), usable.end(), at_least)
             ? std::any_of(free.begin(), free.end(), at_least)
             : all >= count;
}

bool CenterBooks::HasHost(NodeId node, const HostResources& asked) const {
  return asked.cpu_milli <= hosts_.at(node).cpu_milli &&
         asked.memory_mib <= hosts_.at(node).memory_mib;
}

bool CenterBooks::Fits(const GangShape& gang, ClassId device_class, int nodes,
                       const std::set<NodeId>& closed) const {
  std::map<std::string, int> fitting;  // by domain
  for (const auto& [id, devices] : devices_) {
    if (!closed.contains(id) && HasHost(id, gang.per_node) &&
        HasRoom(devices, device_class, gang.devices_per_node)) {
      ++fitting[gang.topology_required ? DomainOf(gang.topology, cluster_.GetNode(id)) : ""];
    }
  }
  return std::any_of(fitting.begin(), fitting.end(),
                     [nodes](const auto& domain) { return domain.second >= nodes; });
}

int64_t CountDevices(const std::vector<Placement>& members) {
  int64_t count = 0;
  for (const Placement& member : members) {
    count += static_cast<int64_t>(member.devices.size());
  }
  return count;
}

bool OwesBlocks(const Cluster& cluster, ClassId device_class) {
  const auto& limits = cluster.quota().limits();
  return std::any_of(limits.begin(), limits.end(), [device_class](const auto& entry) {
    return entry.first.device_class == device_class && entry.second.block_count > 0;
  });
}

bool Suits(const GangShape& gang, const Node& node) {
  for (const auto& [label, value] : gang.node_labels) {
    const auto found = node.facts.labels.find(label);
    if (found == node.facts.labels.end() || found->second != value) {
      return false;
    }
  }
  return std::count(gang.excluded_nodes.begin(), gang.excluded_nodes.end(), node.name) == 0;
}

std::set<NodeId> ClosedTo(const Cluster& cluster, const Job& job, absl::Time now) {
  std::set<NodeId> closed(job.suspect_nodes.begin(), job.suspect_nodes.end());
  for (const auto& [id, node] : cluster.nodes()) {
    if (!Suits(job.spec.gang, node)) {
      closed.insert(id);
    }
  }
  for (const auto& [id, booking] : cluster.bookings()) {
    if (booking.Excludes(job.spec.tenant, now, now + job.spec.time_limit)) {
      closed.insert(booking.nodes.begin(), booking.nodes.end());
    }
  }
  return closed;
}

int64_t LostSeconds(const Job& job, absl::Time now) {
  const absl::Time since = std::max(job.attempt.started_at, job.attempt.checkpoint_at);
  return since == absl::InfinitePast()
             ? 0
             : absl::ToInt64Seconds(std::max(now - since, absl::ZeroDuration()));
}

}  // namespace berth
