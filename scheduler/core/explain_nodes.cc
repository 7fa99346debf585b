// The nodes of a class, by what stands between each and a member of the gang.

#include <algorithm>
#include <array>
#include <map>
#include <utility>

#include "scheduler/core/explain_parts.h"
#include "scheduler/core/topology.h"

namespace berth {
namespace {

constexpr std::array<const char*, 11> kStandingNames = {
    "out",  "labels",      "excluded",  "suspect", "booked", "too-small", "host-resources",
    "busy", "partly-busy", "nominated", "free"};

NodeStanding StandingOf(NodeVerdict verdict, int64_t free_devices) {
  switch (verdict) {
    case NodeVerdict::kWrongClass:
    case NodeVerdict::kOut:
      return NodeStanding::kOut;
    case NodeVerdict::kLabels:
      return NodeStanding::kLabels;
    case NodeVerdict::kExcluded:
      return NodeStanding::kExcluded;
    case NodeVerdict::kSuspect:
      return NodeStanding::kSuspect;
    case NodeVerdict::kBooked:
      return NodeStanding::kBooked;
    case NodeVerdict::kTooSmall:
      return NodeStanding::kTooSmall;
    case NodeVerdict::kHostResources:
      return NodeStanding::kHostResources;
    case NodeVerdict::kBusy:
      return free_devices > 0 ? NodeStanding::kPartlyBusy : NodeStanding::kBusy;
    case NodeVerdict::kNominated:
      return NodeStanding::kNominated;
    case NodeVerdict::kFree:
      return NodeStanding::kFree;
  }
  return NodeStanding::kOut;
}

int64_t FreeOn(const Cluster& cluster, NodeId node, ClassId device_class) {
  const FreeIndex& index = cluster.free_index();
  return CountDevices(index.Site(node).Usable(device_class) & ~index.Load(node).taken());
}

// Bits of what is in the way on a suitable node.
constexpr unsigned kByBooking = 1;
constexpr unsigned kByHost = 2;
constexpr unsigned kByDevices = 4;

bool IsBooked(const Stuck& stuck, const PlaceRequest& request, NodeId node) {
  return std::any_of(stuck.cluster.bookings().begin(), stuck.cluster.bookings().end(),
                     [&](const auto& entry) {
                       const Booking& booking = entry.second;
                       return booking.Excludes(request.tenant, request.start, request.end) &&
                              std::binary_search(booking.nodes.begin(), booking.nodes.end(), node);
                     });
}

// The suitable nodes, by the sum of their bits.
class Suitable {
 public:
  Suitable(const Stuck& stuck, ClassId device_class) : stuck_(stuck) {
    const GangShape& gang = stuck.key().gang;
    const Grant grant{.nodes = gang.nodes};
    const PlaceRequest request = RequestOf(stuck, gang, device_class, grant);
    // Without host resources and bookings: what the devices alone say.
    GangShape bare = gang;
    bare.per_node = HostResources();
    PlaceRequest by_devices = RequestOf(stuck, bare, device_class, grant);
    by_devices.start = by_devices.end = absl::InfinitePast();
    const FreeView view(stuck.cluster);
    for (const auto& [verdict, nodes] : view.Partition(by_devices)) {
      const bool free = verdict == NodeVerdict::kFree;
      if (!free && verdict != NodeVerdict::kBusy && verdict != NodeVerdict::kNominated) {
        continue;
      }
      for (NodeId node : nodes) {
        unsigned bits = free ? 0 : kByDevices;
        bits |= view.HostFits(gang.per_node, node) ? 0 : kByHost;
        bits |= IsBooked(stuck, request, node) ? kByBooking : 0;
        nodes_.at(bits).push_back(node);
      }
    }
  }

  int With(unsigned bit) const {
    size_t nodes = 0;
    for (unsigned bits = 0; bits < nodes_.size(); ++bits) {
      nodes += (bits & bit) != 0 ? nodes_.at(bits).size() : 0;
    }
    return static_cast<int>(nodes);
  }

  // Nodes whose every bit is among `removed`.
  std::vector<NodeId> Without(unsigned removed) const {
    std::vector<NodeId> nodes;
    for (unsigned bits = 0; bits < nodes_.size(); ++bits) {
      if ((bits & ~removed) == 0) {
        nodes.insert(nodes.end(), nodes_.at(bits).begin(), nodes_.at(bits).end());
      }
    }
    return nodes;
  }

  // Of those, how many are as close together as the gang asks.
  int CloseWithout(unsigned removed) const {
    return LargestGathering(stuck_.cluster.free_index().topology(), stuck_.key().gang.topology,
                            Without(removed));
  }

 private:
  const Stuck& stuck_;
  std::array<std::vector<NodeId>, 8> nodes_;
};

}  // namespace

absl::string_view Name(NodeStanding standing) {
  return kStandingNames.at(static_cast<size_t>(standing));
}

NodeCensus TakeCensus(const Stuck& stuck, ClassId device_class) {
  constexpr unsigned kAll = kByBooking | kByHost | kByDevices;
  const Suitable nodes(stuck, device_class);
  NodeCensus census;
  census.suitable = static_cast<int>(nodes.Without(kAll).size());
  census.available = static_cast<int>(nodes.Without(0).size());
  census.booked = nodes.With(kByBooking);
  census.host = nodes.With(kByHost);
  census.devices = nodes.With(kByDevices);
  census.whole = census.suitable - census.devices;
  census.close = nodes.CloseWithout(0);
  census.together = nodes.CloseWithout(kAll);
  const GangShape& gang = stuck.key().gang;
  const int least = gang.least_nodes();
  census.by_topology =
      gang.topology_required && census.suitable >= least &&
      (census.together < least || (census.available >= least && census.close < least));
  const auto count = [&](unsigned removed) {
    return gang.topology_required && !census.by_topology
               ? nodes.CloseWithout(removed)
               : static_cast<int>(nodes.Without(removed).size());
  };
  // Nodes that are missing altogether are a reason of their own.
  const int missing = std::max(least - count(kAll), 0);
  unsigned named = 0;
  for (const unsigned bit : {kByBooking, kByHost, kByDevices}) {
    if (count(kAll & ~bit) + missing < least) {
      named |= bit;
    }
  }
  // Each may leave enough, and all together not: then the most frequent are named until they do.
  while (count(named) + missing < least) {
    unsigned next = 0;
    for (const unsigned bit : {kByBooking, kByHost, kByDevices}) {
      if ((named & bit) == 0 && (next == 0 || nodes.With(bit) > nodes.With(next))) {
        next = bit;
      }
    }
    named |= next;
  }
  census.by_booking = (named & kByBooking) != 0;
  census.by_host = (named & kByHost) != 0;
  census.by_devices = (named & kByDevices) != 0;
  return census;
}

std::vector<NodePart> PartsOf(const Stuck& stuck, ClassId device_class) {
  const GangShape& gang = stuck.key().gang;
  const PlaceRequest request = RequestOf(stuck, gang, device_class, {.nodes = gang.nodes});
  std::map<NodeStanding, NodePart> parts;
  for (const auto& [verdict, nodes] : FreeView(stuck.cluster).Partition(request)) {
    if (verdict == NodeVerdict::kWrongClass) {
      continue;
    }
    for (NodeId node : nodes) {
      const int64_t free = FreeOn(stuck.cluster, node, device_class);
      NodePart& part = parts[StandingOf(verdict, free)];
      ++part.nodes;
      part.free_devices += free;
      part.named.push_back({node, free});
    }
  }
  std::vector<NodePart> list;
  for (auto& [standing, part] : parts) {
    part.standing = standing;
    std::sort(part.named.begin(), part.named.end(),
              [](const auto& a, const auto& b) { return a.node < b.node; });
    part.named.resize(std::min(part.named.size(), NodePart::kNamedMax));
    list.push_back(std::move(part));
  }
  return list;
}

}  // namespace berth
