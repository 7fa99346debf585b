#ifndef BERTH_SCHEDULER_CORE_PLACEMENT_H_
#define BERTH_SCHEDULER_CORE_PLACEMENT_H_

// Nodes and devices for one gang: best fit by free devices, so that whole nodes stay whole.

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/time/time.h"

#include "scheduler/core/block_rule.h"
#include "scheduler/core/cluster.h"
#include "scheduler/core/pending_reason.h"
#include "scheduler/core/plan.h"

namespace berth {

// Where a gang is wanted, for whom and for how long. Refers to its shape: keep that alive.
struct PlaceRequest {
  PlaceRequest(const GangShape& shape, ClassId of_class)
      : gang(shape), device_class(of_class), nodes(shape.nodes) {}

  const GangShape& gang;
  ClassId device_class;  // none: a gang without devices
  TenantId tenant;
  ProjectId project;
  Funding funding = Funding::kNone;
  bool preemptible = true;
  int nodes;  // at most; an elastic gang takes as many as there are, at least its least
  bool open_device = false;  // a share of a device that is open already, or none
  bool fixed = false;        // exactly `nodes`, even if the gang is elastic
  absl::Time start = absl::InfinitePast();
  absl::Time end = absl::InfinitePast();               // it may hold its places until then
  const std::vector<NodeId>* suspect_nodes = nullptr;  // to be avoided

  const std::vector<NodeId>& suspects() const {
    static const std::vector<NodeId> kNone;
    return suspect_nodes == nullptr ? kNone : *suspect_nodes;
  }
  int least_nodes() const { return fixed ? nodes : std::min(nodes, gang.least_nodes()); }
  ShareOwner owner() const { return {tenant, project, funding, preemptible}; }
};

// What stands first between a node and a member of a gang, in this order.
enum class NodeVerdict {
  kWrongClass,     // has no device of the class
  kOut,            // not ready
  kLabels,         // its labels do not suit
  kExcluded,       // the job leaves it out by name
  kSuspect,        // an attempt of the job ended there by the node's fault
  kBooked,         // promised away before the job would end
  kTooSmall,       // fewer usable devices than a member needs
  kHostResources,  // too few free cores or memory
  kBusy,           // too few free devices
  kNominated,      // would have enough, but for those kept for a claim
  kFree,
};

struct ClassPlace {
  ClassId device_class;
  std::vector<Placement> members;
};

// What is free on a cluster after the starts already decided in this round. The cluster must
// outlive it and not change meanwhile. Copying costs a few microseconds: a what-if inside the
// round. One thread for it and its copies.
class FreeView {
 public:
  explicit FreeView(const Cluster& cluster);

  // Members by rank, or nothing and, in `why`, the first reason with its numbers.
  std::optional<std::vector<Placement>> Place(const PlaceRequest& request, Blocker& why) const;
  // Whether Place would find something.
  bool CanPlace(const PlaceRequest& request) const;
  // Where a start costs least of several classes, none of which is preferred; at equal cost on the
  // oldest node. The request's own class does not count.
  std::optional<ClassPlace> PlaceInAny(PlaceRequest request, const std::vector<ClassId>& classes,
                                       Blocker& why) const;
  // The first reason why there is no place; kNone where there is one.
  Blocker Explain(const PlaceRequest& request) const;
  // Every known node, by what stands between it and a member.
  std::map<NodeVerdict, std::vector<NodeId>> Partition(const PlaceRequest& request) const;

  // Makes the places of a decided start unavailable to the next.
  void Take(const PlaceRequest& request, const std::vector<Placement>& members);
  // What is free on the members' nodes, and makes it so again: undoes a Take, even of places that
  // were not free.
  std::vector<std::pair<NodeId, NodeLoad>> LoadsOf(const std::vector<Placement>& members) const;
  void PutBack(std::vector<std::pair<NodeId, NodeLoad>> loads);
  // As if the allocation were released. What is kept for a claim stays kept.
  void Give(const Allocation& allocation);
  // The same, and its undoing, where the owner is known.
  void Give(const Allocation& allocation, const ShareOwner& owner);
  void TakeBack(const Allocation& allocation, const ShareOwner& owner);
  // Leaves out for everybody what a claim keeps, and ends that.
  void Keep(const Start& claim);
  void Give(const Start& claim);
  // The claim starts: what it will take of its nodes beside the devices is taken now.
  void GiveHosts(const Start& claim);
  // Leaves devices alone out for everybody, and ends that.
  void Keep(const std::vector<Placement>& members);
  void Keep(NodeId node, DeviceMask devices);
  void Give(NodeId node, DeviceMask devices);

  // Who is owed whole blocks of the class (quota.md, T1).
  const std::vector<BlockClaim>& BlockClaims(ClassId device_class) const;
  // Whether a start could take one from its owner: only one that is labelled owned.
  bool MayBreakBlocks(const PlaceRequest& request) const;
  // Whether the start changes nothing about which blocks are whose.
  bool LeavesBlocksAsTheyAre(const PlaceRequest& request,
                             const std::vector<Placement>& members) const;

  // By how much a start would raise the cluster's fragmentation (ShapeMix::Cost): compares places
  // in different classes.
  int64_t Cost(const PlaceRequest& request, const std::vector<Placement>& members) const;
  // Whether the request is for a share for which a device is open already: it takes nothing new.
  bool FitsOpenDevice(const PlaceRequest& request) const;
  // Whole free devices of a class.
  int64_t FreeCount(ClassId device_class) const { return Free(device_class).devices(); }
  // Whether exactly these devices are usable and not given out, kept for a claim or not.
  bool AreUnallocated(const std::vector<Placement>& members) const;
  // Whether a member's processors and memory are free, and not kept for a claim.
  bool HostFits(const HostResources& asked, NodeId node) const;
  const NodeLoad& Load(NodeId node) const;
  const NodeSite& Site(NodeId node) const { return index_->Site(node); }
  const Cluster& cluster() const { return *cluster_; }

 private:
  // What the nodes must be, apart from devices and host resources, for one kind of request.
  using FilterKey = std::tuple<std::map<std::string, std::string>, std::vector<std::string>,
                               std::vector<NodeId>, std::vector<BookingId>>;
  // What does not change during the round; found when asked for.
  struct RoundCache {
    std::map<FilterKey, NodeSet, std::less<>> filters;
    std::map<ClassId, std::vector<BlockClaim>> claims;
  };

  const CountIndex& Free(ClassId device_class) const;
  const NodeSet& Sharing() const { return sharing_ == nullptr ? index_->sharing() : *sharing_; }
  CountIndex& MutableFree(ClassId device_class);
  NodeLoad& MutableLoad(NodeId node);
  template <typename Change>
  void ChangeLoad(NodeId node, Change change);

  // Null: every node will do. Bookings count only if asked for.
  const NodeSet* Filter(const PlaceRequest& request, bool with_bookings) const;
  std::vector<BookingId> BookingsAgainst(const PlaceRequest& request) const;
  NodeSet BuildFilter(const FilterKey& key) const;

  bool HostFits(const PlaceRequest& request, NodeId node) const {
    return HostFits(request.gang.per_node, node);
  }
  // What claims leave of the node's processors and memory: what comes back with their devices is
  // theirs first.
  HostResources LeftBesideClaims(NodeId node) const;
  bool RingFits(const PlaceRequest& request, NodeId node) const;
  // Nodes for one member each, the fewest free devices first; not more than `most`.
  // With `broken`, only those of which something is taken.
  std::vector<NodeId> Candidates(const PlaceRequest& request, const NodeSet* filter, bool broken,
                                 int most) const;
  // One node that is whole, of the block with the fewest of them.
  std::optional<NodeId> PickWhole(const PlaceRequest& request, const NodeSet* filter,
                                  size_t devices) const;
  // Members on nodes in `filter` (null: on any), or none.
  std::vector<Placement> FindPlaces(const PlaceRequest& request, const NodeSet* filter) const;
  // Where no owed block is broken, blocks first that the tenant has broken itself.
  std::vector<Placement> FindSparing(const PlaceRequest& request) const;
  // The nodes of blocks that the tenant has broken, and of all broken ones.
  std::array<NodeSet, 2> BrokenBlocks(const PlaceRequest& request) const;
  // Who holds owned devices in a block: the request's tenant, one other or several.
  struct BlockHolders {
    bool own = false;
    bool mixed = false;
    TenantId other;
    friend bool operator<(const BlockHolders& a, const BlockHolders& b) {
      return std::tie(a.own, a.mixed, a.other) < std::tie(b.own, b.mixed, b.other);
    }
  };
  void NoteHolders(const PlaceRequest& request, NodeId node, BlockHolders& holders) const;
  // Whether the block is the tenant's already, or can be given to nobody who is owed one.
  bool IsSpent(const PlaceRequest& request, TopologyLevel level, const BlockHolders& holders) const;
  // Nodes of which all blocks are spent.
  NodeSet SpentBlocks(const PlaceRequest& request) const;
  // Of all the node's blocks: nodes of one kind are as good as each other for those who are owed.
  std::vector<BlockHolders> KindOf(const PlaceRequest& request, NodeId node) const;
  // Nodes on which the gang breaks no owed block, whichever of them it takes: those of spent
  // blocks, and of as many others as the owners can do without.
  NodeSet SafeNodes(const PlaceRequest& request, const NodeSet* filter) const;
  // At least request.least_nodes() nodes, or none.
  std::vector<NodeId> PickNodes(const PlaceRequest& request, const NodeSet* filter) const;
  // Whether PickNodes would find them: close together is a wish, unless it is required.
  bool HasNodes(const PlaceRequest& request, const NodeSet* filter) const;
  std::vector<NodeId> PickHosts(const PlaceRequest& request, const NodeSet* filter) const;
  // For one member whose node matters beyond its devices: the place with the least cost.
  bool IsScored(const PlaceRequest& request) const;
  std::optional<Placement> PickScored(const PlaceRequest& request, const NodeSet* filter) const;
  struct Scored;
  void ScoreNode(const PlaceRequest& request, NodeId node, Scored& best) const;
  int64_t CostOf(const PlaceRequest& request, const Placement& member) const;
  std::optional<Placement> PickShare(const PlaceRequest& request, const NodeSet* filter) const;
  std::optional<NodeId> FindOpenNode(const PlaceRequest& request, const NodeSet* filter) const;
  // A device of which a share is given out to the same owner and which has room for one more; -1.
  int FindRoom(const PlaceRequest& request, NodeId node) const;
  DeviceMask PickDevices(NodeId node, ClassId device_class, int count) const;
  Placement MakePlacement(NodeId node, DeviceMask devices, int milli) const;
  Blocker ExplainWhole(const PlaceRequest& request, const NodeSet* filter) const;
  NodeVerdict Judge(const PlaceRequest& request, const Node& node) const;

  const Cluster* cluster_;
  const FreeIndex* index_;
  // What this round has changed. By id, where a node's load stands among those, counted from 1;
  // 0: it is as in the cluster. Most copies change few nodes of thousands.
  std::vector<uint32_t> changed_at_;
  std::vector<NodeLoad> changed_;
  // Null where it is as in the cluster. Copied before it is written to while another view has it
  // too.
  std::vector<std::shared_ptr<CountIndex>> free_;  // by class
  std::shared_ptr<NodeSet> sharing_;
  std::shared_ptr<RoundCache> cache_;  // the same for all copies
};

// Whether the request can be placed so that no owed block is broken.
bool FitsWithBlocks(const FreeView& view, const PlaceRequest& request);
// T1: why the start may not be: it would leave fewer of the owed blocks than there are.
std::optional<Blocker> CheckBlocks(const FreeView& view, const PlaceRequest& request,
                                   const std::vector<Placement>& members);

}  // namespace berth

#endif  // BERTH_SCHEDULER_CORE_PLACEMENT_H_
