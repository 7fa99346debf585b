// The part of FreeView that chooses a node by how much of it would become useless to others. Only
// for single members that ask for a share, cores or memory: for whole devices alone, the fewest
// free devices say the same and cost less.

#include <algorithm>
#include <limits>
#include <tuple>
#include <utility>
#include <vector>

#include "scheduler/core/placement.h"

namespace berth {
namespace {

// What one placement may look at: the fullest nodes of the largest center come first.
constexpr int kScoredMax = 2048;

// Nodes of one class, without rings and shares, that have the same free are as good as each other.
struct PlainState {
  ClassId device_class;  // none: not such a node
  int free = 0;
  HostResources host;
  friend bool operator==(const PlainState&, const PlainState&) = default;
};

PlainState PlainStateOf(const NodeSite& site, const NodeLoad& load) {
  if (site.classes.size() != 1 || site.rings.size() > 1 || !load.shared.empty()) {
    return {};
  }
  const ClassDevices& devices = site.classes.front();
  return {devices.device_class, CountDevices(devices.usable & ~load.taken()), load.free};
}

// Whether none like it was seen; it is now. Nodes come in the order of their ids, so that the
// oldest of those alike is the one that counts.
bool IsNew(const PlainState& state, std::vector<PlainState>& seen) {
  if (!state.device_class) {
    return true;
  }
  if (std::find(seen.rbegin(), seen.rend(), state) != seen.rend()) {
    return false;
  }
  seen.push_back(state);
  return true;
}

}  // namespace

// The best so far: least cost, then the oldest node, then the fullest device.
struct FreeView::Scored {
  std::tuple<int64_t, NodeId, int> rank{std::numeric_limits<int64_t>::max(), NodeId(), 0};
  DeviceMask devices = 0;
  bool found = false;
  int nodes = 0;  // that were scored
};

bool FreeView::IsScored(const PlaceRequest& request) const {
  const GangShape& gang = request.gang;
  return request.nodes == 1 && !cluster_->shape_mix().empty() &&
         (gang.device_share_milli > 0 || gang.per_node != HostResources{});
}

int64_t FreeView::CostOf(const PlaceRequest& request, const Placement& member) const {
  const NodeSite& site = Site(member.node);
  const NodeLoad& load = Load(member.node);
  // Whose devices they are makes no difference, and what is not copied costs nothing.
  NodeLoad after;
  after.free = load.free;
  after.busy = load.busy;
  after.nominated = load.nominated;
  after.shared = load.shared;
  after.Take(site, member.devices, request.gang.per_node, ShareOwner());
  const ShapeMix& mix = cluster_->shape_mix();
  return mix.Cost(site, after) - mix.Cost(site, load);
}

int64_t FreeView::Cost(const PlaceRequest& request, const std::vector<Placement>& members) const {
  int64_t cost = 0;
  for (const Placement& member : members) {
    cost += CostOf(request, member);
  }
  return cost;
}

std::optional<ClassPlace> FreeView::PlaceInAny(PlaceRequest request,
                                               const std::vector<ClassId>& classes,
                                               Blocker& why) const {
  std::optional<ClassPlace> best;
  std::pair<int64_t, NodeId> best_rank;
  why = {.code = ReasonCode::kNoNodes};
  Blocker reason;
  for (ClassId device_class : classes) {
    request.device_class = device_class;
    auto members = Place(request, reason);
    if (!members.has_value()) {
      why = device_class == classes.front() ? reason : why;
      continue;
    }
    const std::pair rank(Cost(request, *members), members->front().node);
    if (!best.has_value() || rank < best_rank) {
      best = {device_class, *std::move(members)};
      best_rank = rank;
    }
  }
  return best;
}

void FreeView::ScoreNode(const PlaceRequest& request, NodeId node, Scored& best) const {
  const NodeSite& site = Site(node);
  const NodeLoad& load = Load(node);
  const int milli = request.gang.device_share_milli;
  const DeviceMask free = site.Usable(request.device_class) & ~load.taken();
  const int whole = CountDevices(free);
  const auto consider = [&](DeviceMask devices, int left) {
    Placement member{node, {}};
    for (DeviceMask rest = devices; rest != 0; rest &= rest - 1) {
      const int index = site.indices.at(static_cast<size_t>(FirstDevice(rest)));
      member.devices.push_back({index, milli > 0 ? milli : kWholeDeviceMilli, ""});
    }
    const std::tuple rank(CostOf(request, member), node, left);
    if (!best.found || rank < best.rank) {
      best = {rank, devices, true, best.nodes};
    }
  };
  if (!request.device_class || milli == 0) {
    const int count = request.device_class ? request.gang.devices_per_node : 0;
    if (whole >= count) {
      consider(count == 0 ? 0 : PickDevices(node, request.device_class, count), 0);
    }
    return;
  }
  DeviceMask tried = 0;
  for (const SharedDevice& device : load.shared) {
    const DeviceMask bit = DeviceAt(device.position);
    const int left = kWholeDeviceMilli - device.milli - milli;
    if (device.owner == request.owner() && left >= 0 && (bit & load.nominated) == 0 &&
        (bit & site.Usable(request.device_class)) != 0 && (bit & tried) == 0) {
      tried |= bit;
      consider(bit, left);
    }
  }
  if (whole > 0 && !request.open_device) {
    consider(PickDevices(node, request.device_class, 1), kWholeDeviceMilli - milli);
  }
}

std::optional<Placement> FreeView::PickScored(const PlaceRequest& request,
                                              const NodeSet* filter) const {
  Scored best;
  std::vector<PlainState> seen;
  const auto score = [&](NodeId node) {
    if (HostFits(request, node) && (!request.device_class || RingFits(request, node)) &&
        IsNew(PlainStateOf(Site(node), Load(node)), seen)) {
      ScoreNode(request, node, best);
      ++best.nodes;
    }
    // A job without devices costs nothing at best.
    const bool best_possible = !request.device_class && best.found && std::get<0>(best.rank) <= 0;
    return !best_possible && best.nodes < kScoredMax;
  };
  if (!request.device_class) {
    index_->ready().ForEach(filter, score);
  } else {
    if (request.gang.device_share_milli > 0) {
      Sharing().ForEach(filter, score);
    }
    const auto& by_count = Free(request.device_class).by_count();
    for (auto count = static_cast<size_t>(request.gang.devices_per_node); count < by_count.size();
         ++count) {
      by_count[count].ForEach(filter, score);
    }
  }
  if (!best.found) {
    return std::nullopt;
  }
  const int milli = request.gang.device_share_milli;
  return MakePlacement(std::get<NodeId>(best.rank), best.devices,
                       milli > 0 ? milli : kWholeDeviceMilli);
}

}  // namespace berth
