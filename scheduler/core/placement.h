#ifndef BERTH_SCHEDULER_CORE_PLACEMENT_H_
#define BERTH_SCHEDULER_CORE_PLACEMENT_H_

// Nodes and devices for one gang: best fit by free devices, so that whole nodes stay whole.

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

#include "scheduler/core/cluster.h"
#include "scheduler/core/pending_reason.h"
#include "scheduler/core/plan.h"

namespace berth {

// What is free on a cluster after the starts already decided in this round. Lives as long as the
// round; the cluster must not change meanwhile.
class FreeView {
 public:
  explicit FreeView(const Cluster& cluster) : cluster_(cluster) {}

  // Members by rank, or nothing and, in `why`, the reason with its numbers.
  // Class none: a gang without devices.
  std::optional<std::vector<Placement>> Place(const GangShape& gang, ClassId device_class,
                                              Blocker& why) const;
  // Makes the places of a decided start unavailable to the next.
  void Take(const GangShape& gang, ClassId device_class, const std::vector<Placement>& members);

  // Whole free devices of a class.
  int64_t FreeCount(ClassId device_class) const;

 private:
  using CountIndex = std::map<int, std::set<NodeId>>;

  const CountIndex& Index(ClassId device_class) const;
  const NodeLoad& Load(NodeId node) const;
  bool Suits(const GangShape& gang, NodeId node) const;
  std::vector<NodeId> PickNodes(const GangShape& gang, ClassId device_class) const;
  std::vector<NodeId> PickHosts(const GangShape& gang) const;
  std::vector<DeviceShare> PickDevices(NodeId node, ClassId device_class, int count) const;
  Blocker Explain(const GangShape& gang, ClassId device_class) const;

  const Cluster& cluster_;
  // Copies of what this round has changed.
  std::map<ClassId, CountIndex> indexes_;
  std::map<NodeId, NodeLoad> loads_;
};

}  // namespace berth

#endif  // BERTH_SCHEDULER_CORE_PLACEMENT_H_
