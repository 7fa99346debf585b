#ifndef BERTH_SCHEDULER_CORE_FREE_INDEX_H_
#define BERTH_SCHEDULER_CORE_FREE_INDEX_H_

// What is free on every node, and which nodes have how many free devices of a class. A value, owned
// by the Cluster and kept up to date by it; a planning round lays a FreeView over it.

#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/container/inlined_vector.h"

#include "scheduler/core/allocation.h"
#include "scheduler/core/job.h"
#include "scheduler/core/node.h"
#include "scheduler/core/node_set.h"
#include "scheduler/core/topology.h"

namespace berth {

// Devices of a node by their position in its facts. Those behind the last bit are never used.
using DeviceMask = unsigned __int128;
inline constexpr int kDevicesPerNodeMax = 128;

inline int CountDevices(DeviceMask mask) {
  const auto high = static_cast<uint64_t>(mask >> 64);
  return CountBits(static_cast<uint64_t>(mask)) + (high == 0 ? 0 : CountBits(high));
}
inline DeviceMask DeviceAt(int position) {
  return DeviceMask{1} << position;
}
// Requires: mask is not 0.
inline int FirstDevice(DeviceMask mask) {
  const auto low = static_cast<uint64_t>(mask);
  return low != 0 ? std::countr_zero(low)
                  : 64 + std::countr_zero(static_cast<uint64_t>(mask >> 64));
}

struct ClassDevices {
  ClassId device_class;
  DeviceMask known = 0;
  DeviceMask usable = 0;  // healthy, on a ready node
};

// What a node is, whatever runs on it.
struct NodeSite {
  bool ready = false;
  std::vector<ClassDevices> classes;  // by class
  std::vector<DeviceMask> rings;      // by name
  std::vector<int> indices;           // of the devices, by position

  DeviceMask Known(ClassId device_class) const;
  DeviceMask Usable(ClassId device_class) const;
  // -1: it has no such device.
  int PositionOf(int index) const;
  // Whether `count` devices of the class stand in one of its rings, of those in `free`. More than
  // any ring has may span rings.
  bool RingFits(ClassId device_class, DeviceMask free, int count) const;
  // The most of these devices that stand in one of its rings.
  int LargestRing(DeviceMask devices) const;
};

// Those that the node has.
DeviceMask MaskOf(const NodeSite& site, const std::vector<DeviceShare>& devices);

// Who may share a device: one project of one tenant, with one label.
struct ShareOwner {
  TenantId tenant;
  ProjectId project;
  Funding funding = Funding::kNone;
  bool preemptible = true;

  // Whether an owner may ask for what it holds (quota.md, R1).
  bool borrows() const { return funding == Funding::kBorrowed && preemptible; }
  friend bool operator==(const ShareOwner&, const ShareOwner&) = default;
};

// A device of which shares are given out.
struct SharedDevice {
  int position = 0;
  int milli = 0;  // given out
  ShareOwner owner;
};

// How many allocations of a tenant with devices are labelled owned.
struct OwnedUse {
  TenantId tenant;
  int allocations = 0;
};

// What is free on a node now.
struct NodeLoad {
  HostResources free;
  HostResources kept;        // of it, or of what comes back with `nominated`, for claims
  DeviceMask busy = 0;       // given out, shares included
  DeviceMask nominated = 0;  // kept for a claim: free for nobody else
  DeviceMask lent = 0;       // given out to who may be asked for them by an owner
  int jobs = 0;              // allocations held
  // In place, as most nodes have few of them: a planning round copies loads all the time.
  absl::InlinedVector<SharedDevice, 1> shared;  // by position
  absl::InlinedVector<OwnedUse, 2> owned;

  DeviceMask taken() const { return busy | nominated; }
  // Neither free nor lent.
  DeviceMask held() const { return (busy & ~lent) | nominated; }
  // Milli-devices given out of the device at a position.
  int MilliAt(int position) const;
  const SharedDevice* FindShared(int position) const;
  // Whether these devices are free, or shared with the owner and not full.
  bool CanTake(const NodeSite& site, const std::vector<DeviceShare>& devices,
               const ShareOwner& owner) const;
  // Gives devices and host resources out, and takes them back. Devices that the node has no more
  // are left out; one that is given out already, or back, stays so.
  void Take(const NodeSite& site, const std::vector<DeviceShare>& devices,
            const HostResources& host, const ShareOwner& owner);
  void Release(const NodeSite& site, const std::vector<DeviceShare>& devices,
               const HostResources& host, const ShareOwner& owner);
  // Counts an allocation with devices in or out where its label is owned.
  void CountOwned(const ShareOwner& owner, int sign);

 private:
  void TakeShare(int position, int milli, const ShareOwner& owner);
  void ReleaseShare(int position, int milli);
};

// Nodes by how many devices they have of something; those with none are not listed.
class CountIndex {
 public:
  int64_t devices() const { return devices_; }
  int NodesWith(int at_least) const;
  int NodesWith(int at_least, const NodeSet& filter) const;
  // by_count()[n]: those with exactly n.
  const std::vector<NodeSet>& by_count() const { return by_count_; }
  void Move(NodeId node, int from, int to);

 private:
  std::vector<NodeSet> by_count_;
  int64_t devices_ = 0;
};

// The nodes of a class by their known, usable, and whole free devices. Free: usable, not given out,
// not kept for a claim.
struct ClassIndex {
  CountIndex known;
  CountIndex usable;
  CountIndex free;
  CountIndex claimable;  // free, or lent
};

class FreeIndex {
 public:
  // Ids of nodes are below.
  size_t size() const { return loads_.size(); }
  const NodeSite& Site(NodeId id) const { return sites_.at(id.value()); }
  const NodeLoad& Load(NodeId id) const { return loads_.at(id.value()); }
  const ClassIndex& OfClass(ClassId id) const;
  size_t classes() const { return classes_.size(); }
  const NodeSet& ready() const { return ready_; }
  // Nodes with a device of which shares are given out.
  const NodeSet& sharing() const { return sharing_; }
  const Topology& topology() const { return topology_; }
  // How many of the allocation's devices are not given out.
  int64_t UnusedOf(const Allocation& allocation) const;

  // The node with nothing given out.
  void PutNode(const Node& node);
  void Take(const Allocation& allocation, const ShareOwner& owner);
  void Release(const Allocation& allocation, const ShareOwner& owner);
  // The label of the allocation's job is another one now.
  void Relabel(const Allocation& allocation, const ShareOwner& before, const ShareOwner& after);
  // A claim's member on the node, with what it will take of the host.
  void SetNominated(NodeId id, const std::vector<DeviceShare>& devices, const HostResources& host,
                    bool nominated);

 private:
  // Takes a node out of the indexes, and puts it into them.
  void Unlist(NodeId id);
  void List(NodeId id);
  // Runs change(site, load) and moves the node in the free indexes.
  template <typename Change>
  void ChangeLoad(NodeId id, Change change);

  std::vector<NodeSite> sites_;      // by id
  std::vector<NodeLoad> loads_;      // by id
  std::vector<ClassIndex> classes_;  // by id
  NodeSet ready_;
  NodeSet sharing_;
  Topology topology_;
};

// Keeps a node in the set while it has shared devices.
void NoteSharing(NodeId node, const NodeLoad& load, NodeSet& sharing);

// Calls move(class, from, to) for every class whose count of free devices on the node differs
// between the taken masks `before` and `after`.
template <typename Move>
void ForEachMove(const NodeSite& site, DeviceMask before, DeviceMask after, Move move) {
  if (before == after) {
    return;
  }
  for (const ClassDevices& devices : site.classes) {
    const int from = CountDevices(devices.usable & ~before);
    const int to = CountDevices(devices.usable & ~after);
    if (from != to) {
      move(devices.device_class, from, to);
    }
  }
}

}  // namespace berth

#endif  // BERTH_SCHEDULER_CORE_FREE_INDEX_H_
