#ifndef BERTH_SCHEDULER_CORE_PLACEMENT_H_
#define BERTH_SCHEDULER_CORE_PLACEMENT_H_

// Nodes and devices for one gang: best fit by free devices, so that whole nodes stay whole.

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/time/time.h"

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
  absl::Time start = absl::InfinitePast();
  absl::Time end = absl::InfinitePast();               // it may hold its places until then
  const std::vector<NodeId>* suspect_nodes = nullptr;  // to be avoided
};

// What is free on a cluster after the starts already decided in this round, or if something were
// given back. Lives as long as the round; the cluster must not change meanwhile. Copies are cheap.
class FreeView {
 public:
  explicit FreeView(const Cluster& cluster) : cluster_(&cluster) {}

  // Members by rank, or nothing and, in `why`, the reason with its numbers.
  std::optional<std::vector<Placement>> Place(const PlaceRequest& request, Blocker& why) const;
  bool CanPlace(const PlaceRequest& request) const;
  // Makes the places of a decided start unavailable to the next.
  void Take(const PlaceRequest& request, const std::vector<Placement>& members);
  // As if this allocation were released. What is kept for a claim stays kept.
  void Give(const Allocation& allocation);
  // Undoes Give.
  void TakeBack(const Allocation& allocation);
  // Keeps the devices of a claim from everybody, those that are still allocated, too.
  void Keep(const std::vector<Placement>& members);
  // Whether no allocation holds any of these devices.
  bool AreUnallocated(const std::vector<Placement>& members) const;

  // Whole free devices of a class.
  int64_t FreeCount(ClassId device_class) const;

 private:
  using CountIndex = std::map<int, std::set<NodeId>>;

  const CountIndex& Index(ClassId device_class) const;
  const NodeLoad& Load(NodeId node) const;
  bool Suits(const PlaceRequest& request, NodeId node) const;
  std::vector<NodeId> PickNodes(const PlaceRequest& request) const;
  std::vector<NodeId> PickHosts(const PlaceRequest& request) const;
  std::vector<DeviceShare> PickDevices(NodeId node, ClassId device_class, int count) const;
  Blocker Explain(const PlaceRequest& request) const;
  NodeLoad& MutableLoad(NodeId node);
  // Puts a node where its count of free devices belongs.
  void Reindex(NodeId node);

  const Cluster* cluster_;
  // Copies of what this round has changed.
  std::map<ClassId, CountIndex> indexes_;
  std::map<NodeId, NodeLoad> loads_;
};

}  // namespace berth

#endif  // BERTH_SCHEDULER_CORE_PLACEMENT_H_
