// The part of FreeView that chooses nodes for a gang, and devices on them.

#include <algorithm>
#include <limits>
#include <utility>

#include "scheduler/core/placement.h"

namespace berth {
namespace {

constexpr int kEveryNode = std::numeric_limits<int>::max();

bool AsksOfHost(const GangShape& gang) {
  return gang.per_node != HostResources{};
}

}  // namespace

bool FreeView::HostFits(const HostResources& asked, NodeId node) const {
  const NodeLoad& load = Load(node);
  if (!asked.Fits(load.free) || load.kept == HostResources{}) {
    return asked.Fits(load.free);
  }
  const HostResources left = LeftBesideClaims(node);
  return (asked.cpu_milli == 0 || asked.cpu_milli <= left.cpu_milli) &&
         (asked.memory_mib == 0 || asked.memory_mib <= left.memory_mib);
}

HostResources FreeView::LeftBesideClaims(NodeId node) const {
  const NodeLoad& load = Load(node);
  HostResources left = load.free;
  left -= load.kept;
  for (AllocationId id : cluster_->AllocationsOn(node)) {
    const Allocation& allocation = cluster_->GetAllocation(id);
    const DeviceMask held = MaskOf(Site(node), allocation.devices) & load.busy;
    // Beside a share others may stay on the device.
    const bool whole =
        !allocation.devices.empty() && allocation.devices.front().milli == kWholeDeviceMilli;
    if (whole && (held & load.nominated) != 0) {
      left += allocation.host;
    }
  }
  return left;
}

bool FreeView::RingFits(const PlaceRequest& request, NodeId node) const {
  const NodeSite& site = Site(node);
  if (site.rings.size() <= 1) {
    return true;
  }
  const GangShape& gang = request.gang;
  const DeviceMask free = site.Usable(request.device_class) & ~Load(node).taken();
  return site.RingFits(request.device_class, free, gang.devices_per_node) &&
         !(gang.topology == TopologyLevel::kRing && gang.topology_required &&
           gang.devices_per_node > site.LargestRing(site.Usable(request.device_class)));
}

std::vector<NodeId> FreeView::Candidates(const PlaceRequest& request, const NodeSet* filter,
                                         bool broken, int most) const {
  const bool any_host = !AsksOfHost(request.gang);
  const auto& by_count = Free(request.device_class).by_count();
  std::vector<NodeId> nodes;
  for (auto count = static_cast<size_t>(request.gang.devices_per_node);
       count < by_count.size() && static_cast<int>(nodes.size()) < most; ++count) {
    by_count[count].ForEach(filter, [&](NodeId node) {
      if ((any_host || HostFits(request, node)) && RingFits(request, node) &&
          !(broken && Load(node).taken() == 0)) {
        nodes.push_back(node);
      }
      return static_cast<int>(nodes.size()) < most;
    });
  }
  return nodes;
}

std::optional<NodeId> FreeView::PickWhole(const PlaceRequest& request, const NodeSet* filter,
                                          size_t devices) const {
  const NodeSet& whole = Free(request.device_class).by_count().at(devices);
  std::vector<std::pair<int, const NodeSet*>> blocks;
  for (const NodeSet& block : index_->topology().Domains(TopologyLevel::kBlock)) {
    if (const int count = whole.CountCommon(block); count > 0) {
      blocks.emplace_back(count, &block);
    }
  }
  std::stable_sort(blocks.begin(), blocks.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  std::optional<NodeId> picked;
  for (const auto& [count, block] : blocks) {
    const bool none = whole.ForEach(block, [&](NodeId node) {
      const bool suits = (filter == nullptr || filter->contains(node)) && HostFits(request, node) &&
                         RingFits(request, node);
      picked = suits ? std::optional<NodeId>(node) : std::nullopt;
      return !suits;
    });
    if (!none) {
      break;
    }
  }
  return picked;
}

std::vector<NodeId> FreeView::PickNodes(const PlaceRequest& request, const NodeSet* filter) const {
  const int wanted = request.gang.devices_per_node;
  const CountIndex& free = Free(request.device_class);
  if (free.NodesWith(wanted) < request.least_nodes()) {
    return {};
  }
  if (filter != nullptr && free.NodesWith(wanted, *filter) < request.least_nodes()) {
    return {};
  }
  const Topology& topology = index_->topology();
  const bool flat = topology.Domains(TopologyLevel::kBlock).empty();
  if (request.nodes == 1) {
    std::vector<NodeId> first = Candidates(request, filter, false, 1);
    if (!first.empty() && !flat && Load(first.front()).taken() == 0) {
      const DeviceMask usable = Site(first.front()).Usable(request.device_class);
      first = {
          PickWhole(request, filter, static_cast<size_t>(CountDevices(usable))).value_or(first[0])};
    }
    return first;
  }
  Gathering wish{request.gang.topology, request.gang.topology_required, request.nodes,
                 request.least_nodes()};
  const bool asked = wish.level != TopologyLevel::kNone && wish.level != TopologyLevel::kRing;
  if (!asked) {
    wish.level = flat ? TopologyLevel::kNone : TopologyLevel::kBlock;
    wish.strict = false;
  }
  std::vector<NodeId> picked;
  if (!asked && flat) {
    picked = Candidates(request, filter, false, request.nodes);
  } else {
    std::vector<NodeId> nodes =
        asked ? std::vector<NodeId>() : Candidates(request, filter, true, kEveryNode);
    if (asked || static_cast<int>(nodes.size()) < request.nodes) {
      nodes = Candidates(request, filter, false, kEveryNode);
    }
    picked = Gather(topology, wish, nodes);
  }
  if (static_cast<int>(picked.size()) < request.least_nodes()) {
    return {};
  }
  topology.SortByPlace(picked);
  return picked;
}

bool FreeView::HasNodes(const PlaceRequest& request, const NodeSet* filter) const {
  const GangShape& gang = request.gang;
  if (gang.topology_required && gang.topology > TopologyLevel::kRing) {
    return !PickNodes(request, filter).empty();
  }
  const int least = request.least_nodes();
  const CountIndex& free = Free(request.device_class);
  if (free.NodesWith(gang.devices_per_node) < least) {
    return false;
  }
  const bool any_host = !AsksOfHost(gang);
  int found = 0;
  for (auto count = static_cast<size_t>(gang.devices_per_node);
       count < free.by_count().size() && found < least; ++count) {
    free.by_count()[count].ForEach(filter, [&](NodeId node) {
      found += (any_host || HostFits(request, node)) && RingFits(request, node) ? 1 : 0;
      return found < least;
    });
  }
  return found >= least;
}

std::vector<NodeId> FreeView::PickHosts(const PlaceRequest& request, const NodeSet* filter) const {
  std::vector<std::pair<int, NodeId>> hosts;  // the least busy first
  index_->ready().ForEach(filter, [&](NodeId node) {
    if (HostFits(request, node)) {
      hosts.emplace_back(Load(node).jobs, node);
    }
    return true;
  });
  if (static_cast<int>(hosts.size()) < request.least_nodes()) {
    return {};
  }
  const bool anywhere = request.gang.topology < TopologyLevel::kRack;
  const size_t count =
      anywhere ? std::min(hosts.size(), static_cast<size_t>(request.nodes)) : hosts.size();
  std::partial_sort(hosts.begin(), hosts.begin() + static_cast<std::ptrdiff_t>(count), hosts.end());
  std::vector<NodeId> picked;
  picked.reserve(count);
  for (size_t at = 0; at < count; ++at) {
    picked.push_back(hosts[at].second);
  }
  if (!anywhere) {
    picked = Gather(index_->topology(),
                    {request.gang.topology, request.gang.topology_required, request.nodes,
                     request.least_nodes()},
                    picked);
  }
  index_->topology().SortByPlace(picked);
  return picked;
}

DeviceMask FreeView::PickDevices(NodeId node, ClassId device_class, int count) const {
  const NodeSite& site = Site(node);
  const DeviceMask free = site.Usable(device_class) & ~Load(node).taken();
  // The smallest ring that holds them all; else ring after ring, the fullest first.
  std::vector<std::pair<int, DeviceMask>> rings;
  rings.reserve(site.rings.size());
  for (DeviceMask ring : site.rings) {
    rings.emplace_back(CountDevices(ring & free), ring & free);
  }
  std::stable_sort(rings.begin(), rings.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  const auto whole = std::find_if(rings.begin(), rings.end(),
                                  [count](const auto& ring) { return ring.first >= count; });
  if (whole != rings.end()) {
    rings = {*whole};
  }
  std::reverse(rings.begin(), rings.end());
  DeviceMask picked = 0;
  for (auto [size, left] : rings) {
    for (; left != 0 && count > 0; --count) {
      const DeviceMask device = DeviceAt(FirstDevice(left));
      picked |= device;
      left &= ~device;
    }
  }
  return picked;
}

Placement FreeView::MakePlacement(NodeId node, DeviceMask devices, int milli) const {
  Placement placement{node, {}};
  if (devices == 0) {
    return placement;
  }
  const std::vector<Device>& all = cluster_->GetNode(node).facts.devices;
  placement.devices.reserve(static_cast<size_t>(CountDevices(devices)));
  for (DeviceMask left = devices; left != 0; left &= left - 1) {
    const Device& device = all.at(static_cast<size_t>(FirstDevice(left)));
    placement.devices.push_back({device.index, milli, device.uuid});
  }
  return placement;
}

int FreeView::FindRoom(const PlaceRequest& request, NodeId node) const {
  const SharedDevice* best = nullptr;
  const DeviceMask usable = Site(node).Usable(request.device_class);
  const NodeLoad& load = Load(node);
  for (const SharedDevice& device : load.shared) {
    const DeviceMask bit = DeviceAt(device.position);
    if (device.owner == request.owner() && (bit & usable) != 0 && (bit & load.nominated) == 0 &&
        device.milli + request.gang.device_share_milli <= kWholeDeviceMilli &&
        (best == nullptr || device.milli > best->milli)) {
      best = &device;
    }
  }
  return best == nullptr ? -1 : best->position;
}

std::optional<NodeId> FreeView::FindOpenNode(const PlaceRequest& request,
                                             const NodeSet* filter) const {
  // The one with the fullest device that has room.
  std::optional<std::pair<int, NodeId>> best;
  Sharing().ForEach(filter, [&](NodeId node) {
    const NodeLoad& load = Load(node);
    if (!HostFits(request, node)) {
      return true;
    }
    const int room = FindRoom(request, node);
    if (room >= 0 && (!best.has_value() || load.MilliAt(room) > best->first)) {
      best = {load.MilliAt(room), node};
    }
    return true;
  });
  return best.has_value() ? std::optional<NodeId>(best->second) : std::nullopt;
}

bool FreeView::FitsOpenDevice(const PlaceRequest& request) const {
  return request.device_class && request.gang.device_share_milli > 0 &&
         FindOpenNode(request, Filter(request, true)).has_value();
}

std::optional<Placement> FreeView::PickShare(const PlaceRequest& request,
                                             const NodeSet* filter) const {
  if (const std::optional<NodeId> node = FindOpenNode(request, filter); node.has_value()) {
    return MakePlacement(*node, DeviceAt(FindRoom(request, *node)),
                         request.gang.device_share_milli);
  }
  if (request.open_device) {
    return std::nullopt;
  }
  // A new device, where the fewest are free.
  const std::vector<NodeId> nodes = PickNodes(request, filter);
  if (nodes.empty()) {
    return std::nullopt;
  }
  return MakePlacement(nodes.front(), PickDevices(nodes.front(), request.device_class, 1),
                       request.gang.device_share_milli);
}

}  // namespace berth
