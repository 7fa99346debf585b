#include "scheduler/core/placement.h"

#include <algorithm>
#include <utility>

namespace berth {

const FreeView::CountIndex& FreeView::Index(ClassId device_class) const {
  static const CountIndex kEmpty;
  if (const auto changed = indexes_.find(device_class); changed != indexes_.end()) {
    return changed->second;
  }
  const auto found = cluster_->free_index().find(device_class);
  return found == cluster_->free_index().end() ? kEmpty : found->second;
}

const NodeLoad& FreeView::Load(NodeId node) const {
  const auto changed = loads_.find(node);
  return changed == loads_.end() ? cluster_->GetLoad(node) : changed->second;
}

int64_t FreeView::FreeCount(ClassId device_class) const {
  int64_t count = 0;
  for (const auto& [free, nodes] : Index(device_class)) {
    count += free * static_cast<int64_t>(nodes.size());
  }
  return count;
}

bool FreeView::Suits(const PlaceRequest& request, NodeId id) const {
  const Node& node = cluster_->GetNode(id);
  if (request.suspect_nodes != nullptr &&
      std::count(request.suspect_nodes->begin(), request.suspect_nodes->end(), id) > 0) {
    return false;
  }
  return request.gang.per_node.Fits(Load(id).free) && MatchesLabels(request.gang, node);
}

std::vector<NodeId> FreeView::PickNodes(const PlaceRequest& request) const {
  std::vector<NodeId> picked;
  const CountIndex& index = Index(request.device_class);
  for (auto level = index.lower_bound(request.gang.devices_per_node); level != index.end();
       ++level) {
    for (NodeId node : level->second) {
      if (!Suits(request, node)) {
        continue;
      }
      picked.push_back(node);
      if (static_cast<int>(picked.size()) == request.nodes) {
        return picked;
      }
    }
  }
  return static_cast<int>(picked.size()) >= request.gang.least_nodes() ? picked
                                                                       : std::vector<NodeId>();
}

std::vector<NodeId> FreeView::PickHosts(const PlaceRequest& request) const {
  std::vector<std::pair<int, NodeId>> hosts;  // the least busy first
  for (const auto& [id, node] : cluster_->nodes()) {
    if (node.state == NodeState::kReady && Suits(request, id)) {
      hosts.emplace_back(Load(id).jobs, id);
    }
  }
  if (static_cast<int>(hosts.size()) < request.nodes) {
    return {};
  }
  std::partial_sort(hosts.begin(), hosts.begin() + request.nodes, hosts.end());
  std::vector<NodeId> picked;
  for (int i = 0; i < request.nodes; ++i) {
    picked.push_back(hosts[i].second);
  }
  return picked;
}

std::vector<DeviceShare> FreeView::PickDevices(NodeId node, ClassId device_class, int count) const {
  std::map<std::string, std::vector<DeviceShare>> rings;
  const NodeLoad& load = Load(node);
  for (const Device& device : cluster_->GetNode(node).facts.devices) {
    if (device.device_class == device_class && device.health != DeviceHealth::kQuarantined &&
        !load.device_milli.contains(device.index) && !load.nominated.contains(device.index)) {
      rings[device.ring].push_back({device.index, kWholeDeviceMilli, device.uuid});
    }
  }
  // The smallest ring that holds them all; else ring after ring, the fullest first.
  std::vector<std::vector<DeviceShare>> by_size;
  by_size.reserve(rings.size());
  for (auto& [name, devices] : rings) {
    by_size.push_back(std::move(devices));
  }
  std::stable_sort(by_size.begin(), by_size.end(),
                   [](const auto& a, const auto& b) { return a.size() < b.size(); });
  const auto whole = std::find_if(by_size.begin(), by_size.end(), [count](const auto& devices) {
    return static_cast<int>(devices.size()) >= count;
  });
  std::vector<DeviceShare> picked;
  if (whole != by_size.end()) {
    picked.assign(whole->begin(), whole->begin() + count);
    return picked;
  }
  for (auto ring = by_size.rbegin(); ring != by_size.rend(); ++ring) {
    for (const DeviceShare& share : *ring) {
      if (static_cast<int>(picked.size()) < count) {
        picked.push_back(share);
      }
    }
  }
  std::sort(picked.begin(), picked.end(),
            [](const DeviceShare& a, const DeviceShare& b) { return a.index < b.index; });
  return picked;
}

std::optional<std::vector<Placement>> FreeView::Place(const PlaceRequest& request,
                                                      Blocker& why) const {
  const ClassId device_class = request.device_class;
  const std::vector<NodeId> nodes = device_class ? PickNodes(request) : PickHosts(request);
  if (nodes.empty()) {
    why = Explain(request);
    return std::nullopt;
  }
  std::vector<Placement> members;
  members.reserve(nodes.size());
  for (NodeId node : nodes) {
    members.push_back({node, device_class
                                 ? PickDevices(node, device_class, request.gang.devices_per_node)
                                 : std::vector<DeviceShare>()});
  }
  std::sort(members.begin(), members.end(),
            [](const Placement& a, const Placement& b) { return a.node < b.node; });
  return members;
}

bool FreeView::CanPlace(const PlaceRequest& request) const {
  return !(request.device_class ? PickNodes(request) : PickHosts(request)).empty();
}

NodeLoad& FreeView::MutableLoad(NodeId node) {
  return loads_.try_emplace(node, Load(node)).first->second;
}

void FreeView::Reindex(NodeId id) {
  NodeLoad& load = MutableLoad(id);
  const Node& node = cluster_->GetNode(id);
  std::map<ClassId, int> free;
  for (const Device& device : node.facts.devices) {
    const bool usable =
        node.state == NodeState::kReady && device.health != DeviceHealth::kQuarantined;
    free[device.device_class] += usable && !load.device_milli.contains(device.index) &&
                                         !load.nominated.contains(device.index)
                                     ? 1
                                     : 0;
  }
  for (const auto& [device_class, count] : free) {
    if (!indexes_.contains(device_class)) {
      indexes_[device_class] = Index(device_class);
    }
    CountIndex& index = indexes_[device_class];
    int& before = load.free_devices[device_class];
    index[before].erase(id);
    if (index[before].empty()) {
      index.erase(before);
    }
    before = count;
    if (count > 0) {
      index[count].insert(id);
    }
  }
}

void FreeView::Take(const PlaceRequest& request, const std::vector<Placement>& members) {
  for (const Placement& member : members) {
    NodeLoad& load = MutableLoad(member.node);
    load.free -= request.gang.per_node;
    ++load.jobs;
    for (const DeviceShare& share : member.devices) {
      load.device_milli[share.index] = share.milli;
    }
    Reindex(member.node);
  }
}

void FreeView::Give(const Allocation& allocation) {
  NodeLoad& load = MutableLoad(allocation.node);
  load.free += allocation.host;
  --load.jobs;
  for (const DeviceShare& share : allocation.devices) {
    load.device_milli.erase(share.index);
  }
  Reindex(allocation.node);
}

void FreeView::TakeBack(const Allocation& allocation) {
  NodeLoad& load = MutableLoad(allocation.node);
  load.free -= allocation.host;
  ++load.jobs;
  for (const DeviceShare& share : allocation.devices) {
    load.device_milli[share.index] = share.milli;
  }
  Reindex(allocation.node);
}

void FreeView::Keep(const std::vector<Placement>& members) {
  for (const Placement& member : members) {
    NodeLoad& load = MutableLoad(member.node);
    for (const DeviceShare& share : member.devices) {
      load.nominated.insert(share.index);
    }
    Reindex(member.node);
  }
}

bool FreeView::AreUnallocated(const std::vector<Placement>& members) const {
  return std::all_of(members.begin(), members.end(), [this](const Placement& member) {
    const NodeLoad& load = Load(member.node);
    return std::none_of(
        member.devices.begin(), member.devices.end(),
        [&load](const DeviceShare& share) { return load.device_milli.contains(share.index); });
  });
}

Blocker FreeView::Explain(const PlaceRequest& request) const {
  const GangShape& gang = request.gang;
  const ClassId device_class = request.device_class;
  int suitable = 0;  // ready, with enough healthy devices, labels match
  int whole = 0;     // of those, with enough free devices
  for (const auto& [id, node] : cluster_->nodes()) {
    if (node.state != NodeState::kReady || !MatchesLabels(gang, node)) {
      continue;
    }
    const NodeLoad& load = Load(id);
    const auto usable = load.usable_devices.find(device_class);
    const int count = usable == load.usable_devices.end() ? 0 : usable->second;
    if (device_class && count < gang.devices_per_node) {
      continue;
    }
    ++suitable;
    const auto free = load.free_devices.find(device_class);
    whole +=
        !device_class || (free != load.free_devices.end() && free->second >= gang.devices_per_node)
            ? 1
            : 0;
  }
  if (suitable < gang.nodes) {
    return {.code = ReasonCode::kNoNodes, .device_class = device_class, .have = suitable};
  }
  if (whole >= gang.nodes) {
    return {.code = ReasonCode::kHostResources, .device_class = device_class};
  }
  const int64_t free = FreeCount(device_class);
  if (free < gang.devices()) {
    return {.code = ReasonCode::kDevicesBusy,
            .device_class = device_class,
            .asked = gang.devices(),
            .have = free,
            .bound = cluster_->UsableDevices(device_class)};
  }
  return {.code = ReasonCode::kFragmentation,
          .device_class = device_class,
          .have = whole,
          .bound = free};
}

}  // namespace berth
