// The part of FreeView that says why there is no place.

#include <algorithm>

#include "scheduler/core/placement.h"
#include "scheduler/core/suitability.h"

namespace berth {
namespace {

int Count(const CountIndex& index, int at_least, const NodeSet* filter) {
  return filter == nullptr ? index.NodesWith(at_least) : index.NodesWith(at_least, *filter);
}

}  // namespace

Blocker FreeView::Explain(const PlaceRequest& request) const {
  const ClassId device_class = request.device_class;
  const int wanted = device_class ? request.gang.devices_per_node : 0;
  const int least = request.least_nodes();
  const CountIndex& usable = index_->OfClass(device_class).usable;
  const NodeSet* unbooked = Filter(request, false);
  const NodeSet* filter = Filter(request, true);
  const auto suitable = [&](const NodeSet* nodes) {
    if (device_class) {
      return Count(usable, wanted, nodes);
    }
    return nodes == nullptr ? index_->ready().size() : index_->ready().CountCommon(*nodes);
  };
  const int have = suitable(unbooked);
  if (have < least) {
    return {.code = ReasonCode::kNoNodes, .device_class = device_class, .have = have};
  }
  const int open = suitable(filter);
  if (open < least) {
    return {.code = ReasonCode::kBooked,
            .device_class = device_class,
            .have = have - open,
            .bound = have};
  }
  if (CanPlace(request)) {
    return {};
  }
  const int whole = device_class ? Count(Free(device_class), wanted, filter) : open;
  const int64_t asked = static_cast<int64_t>(least) * wanted;
  const int64_t free = FreeCount(device_class);
  if (whole < least && free >= asked) {
    return {.code = ReasonCode::kFragmentation,
            .device_class = device_class,
            .have = whole,
            .bound = free};
  }
  if (whole < least) {
    return {.code = ReasonCode::kDevicesBusy,
            .device_class = device_class,
            .asked = asked,
            .have = free,
            .bound = cluster_->UsableDevices(device_class)};
  }
  return ExplainWhole(request, filter);
}

// Enough nodes have the devices free: the host resources, the rings, or the distance between them.
Blocker FreeView::ExplainWhole(const PlaceRequest& request, const NodeSet* filter) const {
  const GangShape& gang = request.gang;
  const ClassId device_class = request.device_class;
  const int wanted = device_class ? gang.devices_per_node : 0;
  int hosts = 0;
  std::vector<NodeId> places;
  index_->ready().ForEach(filter, [&](NodeId node) {
    const DeviceMask devices = Site(node).Usable(device_class) & ~Load(node).taken();
    if (CountDevices(devices) >= wanted && HostFits(request, node)) {
      ++hosts;
      if (!device_class || RingFits(request, node)) {
        places.push_back(node);
      }
    }
    return true;
  });
  if (hosts < request.least_nodes()) {
    return {.code = ReasonCode::kHostResources, .device_class = device_class, .have = hosts};
  }
  const int close = LargestGathering(index_->topology(), gang.topology, places);
  return {.code = gang.topology_required ? ReasonCode::kTopology : ReasonCode::kFragmentation,
          .device_class = device_class,
          .have = close,
          .bound = FreeCount(device_class)};
}

NodeVerdict FreeView::Judge(const PlaceRequest& request, const Node& node) const {
  const NodeSite& site = Site(node.id);
  const ClassId device_class = request.device_class;
  const int wanted = device_class ? request.gang.devices_per_node : 0;
  if (device_class && site.Known(device_class) == 0) {
    return NodeVerdict::kWrongClass;
  }
  if (!site.ready) {
    return NodeVerdict::kOut;
  }
  if (!MatchesLabels(request.gang, node)) {
    return NodeVerdict::kLabels;
  }
  if (IsExcluded(request.gang, node)) {
    return NodeVerdict::kExcluded;
  }
  const std::vector<NodeId>& suspects = request.suspects();
  if (std::find(suspects.begin(), suspects.end(), node.id) != suspects.end()) {
    return NodeVerdict::kSuspect;
  }
  for (const auto& [id, booking] : cluster_->bookings()) {
    if (booking.Excludes(request.tenant, request.start, request.end) &&
        std::binary_search(booking.nodes.begin(), booking.nodes.end(), node.id)) {
      return NodeVerdict::kBooked;
    }
  }
  const DeviceMask usable = site.Usable(device_class);
  const NodeLoad& load = Load(node.id);
  if (CountDevices(usable) < wanted) {
    return NodeVerdict::kTooSmall;
  }
  if (!HostFits(request, node.id)) {
    return NodeVerdict::kHostResources;
  }
  const bool room =
      request.gang.device_share_milli > 0 && device_class && FindRoom(request, node.id) >= 0;
  if (room || (CountDevices(usable & ~load.taken()) >= wanted &&
               (!device_class || RingFits(request, node.id)))) {
    return NodeVerdict::kFree;
  }
  return CountDevices(usable & ~load.busy) >= wanted && (usable & load.nominated & ~load.busy) != 0
             ? NodeVerdict::kNominated
             : NodeVerdict::kBusy;
}

std::map<NodeVerdict, std::vector<NodeId>> FreeView::Partition(const PlaceRequest& request) const {
  std::map<NodeVerdict, std::vector<NodeId>> parts;
  for (const auto& [id, node] : cluster_->nodes()) {
    parts[Judge(request, node)].push_back(id);
  }
  return parts;
}

}  // namespace berth
