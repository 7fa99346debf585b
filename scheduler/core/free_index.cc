#include "scheduler/core/free_index.h"

#include <algorithm>
#include <map>
#include <string>

#include "common/check.h"

namespace berth {
namespace {

NodeSite SiteOf(const Node& node) {
  NodeSite site;
  site.ready = node.IsUsable();
  std::map<ClassId, ClassDevices> classes;
  std::map<std::string, DeviceMask> rings;
  for (const Device& device : node.facts.devices) {
    const int position = static_cast<int>(site.indices.size());
    if (position == kDevicesPerNodeMax || node.state == NodeState::kRemoved) {
      break;
    }
    site.indices.push_back(device.index);
    ClassDevices& entry = classes[device.device_class];
    entry.device_class = device.device_class;
    entry.known |= DeviceAt(position);
    if (site.ready && device.health != DeviceHealth::kQuarantined) {
      entry.usable |= DeviceAt(position);
    }
    rings[device.ring] |= DeviceAt(position);
  }
  for (const auto& [id, entry] : classes) {
    site.classes.push_back(entry);
  }
  for (const auto& [name, ring] : rings) {
    site.rings.push_back(ring);
  }
  return site;
}

const ClassDevices* FindClass(const NodeSite& site, ClassId id) {
  for (const ClassDevices& devices : site.classes) {
    if (devices.device_class == id) {
      return &devices;
    }
  }
  return nullptr;
}

}  // namespace

DeviceMask NodeSite::Known(ClassId device_class) const {
  const ClassDevices* devices = FindClass(*this, device_class);
  return devices == nullptr ? 0 : devices->known;
}

DeviceMask NodeSite::Usable(ClassId device_class) const {
  const ClassDevices* devices = FindClass(*this, device_class);
  return devices == nullptr ? 0 : devices->usable;
}

int NodeSite::PositionOf(int index) const {
  const auto at = static_cast<size_t>(index);
  if (at < indices.size() && indices[at] == index) {
    return index;
  }
  const auto found = std::find(indices.begin(), indices.end(), index);
  return found == indices.end() ? -1 : static_cast<int>(found - indices.begin());
}

int NodeSite::LargestRing(DeviceMask devices) const {
  int largest = 0;
  for (DeviceMask ring : rings) {
    largest = std::max(largest, CountDevices(ring & devices));
  }
  return largest;
}

bool NodeSite::RingFits(ClassId device_class, DeviceMask free, int count) const {
  if (rings.size() <= 1 || count <= 1) {
    return true;
  }
  const bool one = std::any_of(rings.begin(), rings.end(), [free, count](DeviceMask ring) {
    return CountDevices(ring & free) >= count;
  });
  return one || count > LargestRing(Usable(device_class));
}

DeviceMask MaskOf(const NodeSite& site, const std::vector<DeviceShare>& devices) {
  DeviceMask mask = 0;
  for (const DeviceShare& share : devices) {
    const int position = site.PositionOf(share.index);
    mask |= position < 0 ? 0 : DeviceAt(position);
  }
  return mask;
}

const SharedDevice* NodeLoad::FindShared(int position) const {
  for (const SharedDevice& device : shared) {
    if (device.position == position) {
      return &device;
    }
  }
  return nullptr;
}

int NodeLoad::MilliAt(int position) const {
  if ((busy & DeviceAt(position)) == 0) {
    return 0;
  }
  const SharedDevice* device = FindShared(position);
  return device == nullptr ? kWholeDeviceMilli : device->milli;
}

void NodeLoad::TakeShare(int position, int milli, const ShareOwner& owner) {
  auto device = std::find_if(shared.begin(), shared.end(),
                             [position](const auto& entry) { return entry.position >= position; });
  const bool open = device != shared.end() && device->position == position;
  if (!open && (busy & DeviceAt(position)) != 0) {
    return;
  }
  if (!open) {
    device = shared.insert(device, {position, 0, owner});
    busy |= DeviceAt(position);
  }
  device->milli += milli;
}

void NodeLoad::ReleaseShare(int position, int milli) {
  const auto device = std::find_if(shared.begin(), shared.end(), [position](const auto& entry) {
    return entry.position == position;
  });
  if (device == shared.end()) {
    return;
  }
  device->milli -= milli;
  if (device->milli <= 0) {
    shared.erase(device);
    busy &= ~DeviceAt(position);
  }
}

void NodeLoad::Take(const NodeSite& site, const std::vector<DeviceShare>& devices,
                    const HostResources& host, const ShareOwner& owner) {
  free -= host;
  ++jobs;
  if (!devices.empty()) {
    CountOwned(owner, 1);
  }
  for (const DeviceShare& share : devices) {
    const int position = site.PositionOf(share.index);
    if (position >= 0 && share.milli < kWholeDeviceMilli) {
      TakeShare(position, share.milli, owner);
    } else if (position >= 0) {
      busy |= DeviceAt(position);
    }
    if (position >= 0 && owner.borrows()) {
      lent |= DeviceAt(position);
    }
  }
}

void NodeLoad::Release(const NodeSite& site, const std::vector<DeviceShare>& devices,
                       const HostResources& host, const ShareOwner& owner) {
  free += host;
  --jobs;
  if (!devices.empty()) {
    CountOwned(owner, -1);
  }
  for (const DeviceShare& share : devices) {
    const int position = site.PositionOf(share.index);
    if (position >= 0 && share.milli < kWholeDeviceMilli) {
      ReleaseShare(position, share.milli);
    } else if (position >= 0) {
      busy &= ~DeviceAt(position);
    }
  }
  lent &= busy;
}

void NodeLoad::CountOwned(const ShareOwner& owner, int sign) {
  if (owner.funding != Funding::kOwned) {
    return;
  }
  auto use = std::find_if(owned.begin(), owned.end(),
                          [&owner](const OwnedUse& entry) { return entry.tenant == owner.tenant; });
  if (use == owned.end()) {
    use = owned.insert(owned.end(), {owner.tenant, 0});
  }
  use->allocations += sign;
  if (use->allocations <= 0) {
    owned.erase(use);
  }
}

bool NodeLoad::CanTake(const NodeSite& site, const std::vector<DeviceShare>& devices,
                       const ShareOwner& owner) const {
  return std::all_of(devices.begin(), devices.end(), [&](const DeviceShare& share) {
    const int position = site.PositionOf(share.index);
    if (position < 0 || (busy & DeviceAt(position)) == 0) {
      return true;
    }
    const SharedDevice* device = FindShared(position);
    return device != nullptr && device->owner == owner &&
           device->milli + share.milli <= kWholeDeviceMilli;
  });
}

int CountIndex::NodesWith(int at_least) const {
  int nodes = 0;
  for (size_t count = static_cast<size_t>(std::max(at_least, 1)); count < by_count_.size();
       ++count) {
    nodes += by_count_[count].size();
  }
  return nodes;
}

int CountIndex::NodesWith(int at_least, const NodeSet& filter) const {
  int nodes = 0;
  for (size_t count = static_cast<size_t>(std::max(at_least, 1)); count < by_count_.size();
       ++count) {
    nodes += by_count_[count].empty() ? 0 : by_count_[count].CountCommon(filter);
  }
  return nodes;
}

void CountIndex::Move(NodeId node, int from, int to) {
  if (from > 0) {
    by_count_.at(static_cast<size_t>(from)).erase(node);
  }
  if (to > 0) {
    if (by_count_.size() <= static_cast<size_t>(to)) {
      by_count_.resize(static_cast<size_t>(to) + 1);
    }
    by_count_[static_cast<size_t>(to)].insert(node);
  }
  devices_ += to - from;
}

void NoteSharing(NodeId node, const NodeLoad& load, NodeSet& sharing) {
  if (load.shared.empty()) {
    sharing.erase(node);
  } else {
    sharing.insert(node);
  }
}

const ClassIndex& FreeIndex::OfClass(ClassId id) const {
  static const ClassIndex kEmpty;
  return id.value() < classes_.size() ? classes_[id.value()] : kEmpty;
}

template <typename Change>
void FreeIndex::ChangeLoad(NodeId id, Change change) {
  const NodeSite& site = sites_.at(id.value());
  NodeLoad& load = loads_.at(id.value());
  const DeviceMask taken = load.taken();
  const DeviceMask held = load.held();
  change(site, load);
  ForEachMove(site, taken, load.taken(), [this, id](ClassId device_class, int from, int to) {
    classes_[device_class.value()].free.Move(id, from, to);
  });
  ForEachMove(site, held, load.held(), [this, id](ClassId device_class, int from, int to) {
    classes_[device_class.value()].claimable.Move(id, from, to);
  });
  NoteSharing(id, load, sharing_);
}

void FreeIndex::Unlist(NodeId id) {
  const NodeSite& site = Site(id);
  for (const ClassDevices& devices : site.classes) {
    ClassIndex& index = classes_[devices.device_class.value()];
    index.known.Move(id, CountDevices(devices.known), 0);
    index.usable.Move(id, CountDevices(devices.usable), 0);
    index.free.Move(id, CountDevices(devices.usable & ~Load(id).taken()), 0);
    index.claimable.Move(id, CountDevices(devices.usable & ~Load(id).held()), 0);
  }
  ready_.erase(id);
  sharing_.erase(id);
}

void FreeIndex::List(NodeId id) {
  const NodeSite& site = Site(id);
  for (const ClassDevices& devices : site.classes) {
    if (classes_.size() <= devices.device_class.value()) {
      classes_.resize(devices.device_class.value() + 1);
    }
    ClassIndex& index = classes_[devices.device_class.value()];
    index.known.Move(id, 0, CountDevices(devices.known));
    index.usable.Move(id, 0, CountDevices(devices.usable));
    index.free.Move(id, 0, CountDevices(devices.usable & ~Load(id).taken()));
    index.claimable.Move(id, 0, CountDevices(devices.usable & ~Load(id).held()));
  }
  if (site.ready) {
    ready_.insert(id);
  }
}

void FreeIndex::PutNode(const Node& node) {
  const size_t at = node.id.value();
  if (at >= loads_.size()) {
    sites_.resize(at + 1);
    loads_.resize(at + 1);
  }
  Unlist(node.id);
  sites_[at] = SiteOf(node);
  static const NodeLoad kNothing;
  loads_[at] = kNothing;
  loads_[at].free = node.facts.capacity;
  topology_.Put(node.id, node.facts.topology);
  List(node.id);
}

void FreeIndex::Take(const Allocation& allocation, const ShareOwner& owner) {
  ChangeLoad(allocation.node, [&](const NodeSite& site, NodeLoad& load) {
    BERTH_CHECK(load.CanTake(site, allocation.devices, owner));
    load.Take(site, allocation.devices, allocation.host, owner);
  });
}

void FreeIndex::Release(const Allocation& allocation, const ShareOwner& owner) {
  ChangeLoad(allocation.node, [&](const NodeSite& site, NodeLoad& load) {
    load.Release(site, allocation.devices, allocation.host, owner);
  });
}

int64_t FreeIndex::UnusedOf(const Allocation& allocation) const {
  const DeviceMask busy = Load(allocation.node).busy;
  return CountDevices(MaskOf(Site(allocation.node), allocation.devices) & ~busy);
}

void FreeIndex::Relabel(const Allocation& allocation, const ShareOwner& before,
                        const ShareOwner& after) {
  if (allocation.devices.empty()) {
    return;
  }
  ChangeLoad(allocation.node, [&](const NodeSite& site, NodeLoad& load) {
    load.CountOwned(before, -1);
    load.CountOwned(after, 1);
    const DeviceMask devices = MaskOf(site, allocation.devices);
    load.lent = after.borrows() ? load.lent | devices : load.lent & ~devices;
    for (SharedDevice& device : load.shared) {
      if ((devices & DeviceAt(device.position)) != 0) {
        device.owner = after;
      }
    }
  });
}

void FreeIndex::SetNominated(NodeId id, const std::vector<DeviceShare>& devices,
                             const HostResources& host, bool nominated) {
  ChangeLoad(id, [&](const NodeSite& site, NodeLoad& load) {
    const DeviceMask mask = MaskOf(site, devices);
    if (nominated) {
      load.nominated |= mask;
      load.kept += host;
    } else {
      load.nominated &= ~mask;
      load.kept -= host;
    }
  });
}

}  // namespace berth
