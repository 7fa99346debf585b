#include "scheduler/core/placement.h"

#include <algorithm>
#include <utility>

#include "scheduler/core/suitability.h"

namespace berth {

FreeView::FreeView(const Cluster& cluster)
    : cluster_(&cluster),
      index_(&cluster.free_index()),
      changed_at_(index_->size()),
      free_(index_->classes()),
      cache_(std::make_shared<RoundCache>()) {}

const NodeLoad& FreeView::Load(NodeId node) const {
  const uint32_t at = changed_at_[node.value()];
  return at == 0 ? index_->Load(node) : changed_[at - 1];
}

NodeLoad& FreeView::MutableLoad(NodeId node) {
  uint32_t& at = changed_at_.at(node.value());
  if (at == 0) {
    changed_.push_back(index_->Load(node));
    at = static_cast<uint32_t>(changed_.size());
  }
  return changed_[at - 1];
}

const CountIndex& FreeView::Free(ClassId device_class) const {
  const size_t at = device_class.value();
  return at < free_.size() && free_[at] != nullptr ? *free_[at]
                                                   : index_->OfClass(device_class).free;
}

CountIndex& FreeView::MutableFree(ClassId device_class) {
  std::shared_ptr<CountIndex>& free = free_.at(device_class.value());
  if (free == nullptr) {
    free = std::make_shared<CountIndex>(index_->OfClass(device_class).free);
  } else if (free.use_count() > 1) {
    free = std::make_shared<CountIndex>(*free);
  }
  return *free;
}

template <typename Change>
void FreeView::ChangeLoad(NodeId node, Change change) {
  NodeLoad& load = MutableLoad(node);
  const DeviceMask before = load.taken();
  change(load);
  ForEachMove(Site(node), before, load.taken(), [&](ClassId device_class, int from, int to) {
    MutableFree(device_class).Move(node, from, to);
  });
  if (load.shared.empty() == Sharing().contains(node)) {
    sharing_ = std::make_shared<NodeSet>(Sharing());
    NoteSharing(node, load, *sharing_);
  }
}

void FreeView::Take(const PlaceRequest& request, const std::vector<Placement>& members) {
  for (const Placement& member : members) {
    ChangeLoad(member.node, [&](NodeLoad& load) {
      load.Take(Site(member.node), member.devices, request.gang.per_node, request.owner());
    });
  }
}

std::vector<std::pair<NodeId, NodeLoad>> FreeView::LoadsOf(
    const std::vector<Placement>& members) const {
  std::vector<std::pair<NodeId, NodeLoad>> loads;
  loads.reserve(members.size());
  for (const Placement& member : members) {
    loads.emplace_back(member.node, Load(member.node));
  }
  return loads;
}

void FreeView::PutBack(std::vector<std::pair<NodeId, NodeLoad>> loads) {
  for (auto& [node, before] : loads) {
    ChangeLoad(node, [&saved = before](NodeLoad& load) { load = std::move(saved); });
  }
}

void FreeView::Give(const Allocation& allocation) {
  const Job* job = cluster_->FindJob(allocation.job);
  Give(allocation, job == nullptr ? ShareOwner() : Cluster::OwnerOf(*job));
}

void FreeView::Give(const Allocation& allocation, const ShareOwner& owner) {
  ChangeLoad(allocation.node, [&](NodeLoad& load) {
    load.Release(Site(allocation.node), allocation.devices, allocation.host, owner);
  });
}

void FreeView::TakeBack(const Allocation& allocation, const ShareOwner& owner) {
  ChangeLoad(allocation.node, [&](NodeLoad& load) {
    load.Take(Site(allocation.node), allocation.devices, allocation.host, owner);
  });
}

void FreeView::Keep(NodeId node, DeviceMask devices) {
  ChangeLoad(node, [devices](NodeLoad& load) { load.nominated |= devices; });
}

void FreeView::Give(NodeId node, DeviceMask devices) {
  ChangeLoad(node, [devices](NodeLoad& load) { load.nominated &= ~devices; });
}

void FreeView::Keep(const std::vector<Placement>& members) {
  for (const Placement& member : members) {
    Keep(member.node, MaskOf(Site(member.node), member.devices));
  }
}

void FreeView::Keep(const Start& claim) {
  Keep(claim.members);
  for (const Placement& member : claim.members) {
    MutableLoad(member.node).kept += claim.host;
  }
}

void FreeView::Give(const Start& claim) {
  for (const Placement& member : claim.members) {
    Give(member.node, MaskOf(Site(member.node), member.devices));
  }
  GiveHosts(claim);
}

void FreeView::GiveHosts(const Start& claim) {
  for (const Placement& member : claim.members) {
    MutableLoad(member.node).kept -= claim.host;
  }
}

bool FreeView::AreUnallocated(const std::vector<Placement>& members) const {
  return std::all_of(members.begin(), members.end(), [this](const Placement& member) {
    const NodeSite& site = Site(member.node);
    DeviceMask usable = 0;
    for (const ClassDevices& devices : site.classes) {
      usable |= devices.usable;
    }
    const DeviceMask asked = MaskOf(site, member.devices);
    return site.ready && CountDevices(asked) == static_cast<int>(member.devices.size()) &&
           (asked & ~usable) == 0 && (asked & Load(member.node).busy) == 0;
  });
}

std::vector<BookingId> FreeView::BookingsAgainst(const PlaceRequest& request) const {
  std::vector<BookingId> against;
  for (const auto& [id, booking] : cluster_->bookings()) {
    if (booking.Excludes(request.tenant, request.start, request.end)) {
      against.push_back(id);
    }
  }
  return against;
}

NodeSet FreeView::BuildFilter(const FilterKey& key) const {
  const auto& [labels, excluded, suspects, bookings] = key;
  GangShape gang;
  gang.node_labels = labels;
  gang.excluded_nodes = excluded;
  NodeSet nodes;
  index_->ready().ForEach(nullptr, [&](NodeId id) {
    if (IsSuitable(gang, cluster_->GetNode(id))) {
      nodes.insert(id);
    }
    return true;
  });
  for (NodeId suspect : suspects) {
    nodes.erase(suspect);
  }
  for (BookingId booking : bookings) {
    for (NodeId node : cluster_->bookings().at(booking).nodes) {
      nodes.erase(node);
    }
  }
  return nodes;
}

const NodeSet* FreeView::Filter(const PlaceRequest& request, bool with_bookings) const {
  const std::vector<BookingId> bookings =
      with_bookings ? BookingsAgainst(request) : std::vector<BookingId>();
  const GangShape& gang = request.gang;
  if (gang.node_labels.empty() && gang.excluded_nodes.empty() && request.suspects().empty() &&
      bookings.empty()) {
    return nullptr;
  }
  const auto key = std::tie(gang.node_labels, gang.excluded_nodes, request.suspects(), bookings);
  auto known = cache_->filters.find(key);
  if (known == cache_->filters.end()) {
    known = cache_->filters.emplace(FilterKey(key), NodeSet()).first;
    known->second = BuildFilter(known->first);
  }
  return &known->second;
}

bool FreeView::CanPlace(const PlaceRequest& request) const {
  const NodeSet* filter = Filter(request, true);
  if (!request.device_class) {
    return !PickHosts(request, filter).empty();
  }
  return (request.gang.device_share_milli > 0 && FindOpenNode(request, filter).has_value()) ||
         HasNodes(request, filter);
}

std::vector<Placement> FreeView::FindPlaces(const PlaceRequest& request,
                                            const NodeSet* filter) const {
  const bool scored = IsScored(request);
  if (scored || (request.device_class && request.gang.device_share_milli > 0)) {
    std::optional<Placement> member =
        scored ? PickScored(request, filter) : PickShare(request, filter);
    return member.has_value() ? std::vector<Placement>{*std::move(member)}
                              : std::vector<Placement>();
  }
  const std::vector<NodeId> nodes =
      request.device_class ? PickNodes(request, filter) : PickHosts(request, filter);
  std::vector<Placement> members;
  members.reserve(nodes.size());
  for (NodeId node : nodes) {
    const DeviceMask devices = request.device_class ? PickDevices(node, request.device_class,
                                                                  request.gang.devices_per_node)
                                                    : DeviceMask{0};
    members.push_back(MakePlacement(node, devices, kWholeDeviceMilli));
  }
  return members;
}

std::optional<std::vector<Placement>> FreeView::Place(const PlaceRequest& request,
                                                      Blocker& why) const {
  std::vector<Placement> members =
      MayBreakBlocks(request) ? FindSparing(request) : FindPlaces(request, Filter(request, true));
  if (members.empty()) {
    why = Explain(request);
    return std::nullopt;
  }
  return members;
}

}  // namespace berth
