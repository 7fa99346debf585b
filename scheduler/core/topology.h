#ifndef BERTH_SCHEDULER_CORE_TOPOLOGY_H_
#define BERTH_SCHEDULER_CORE_TOPOLOGY_H_

// Which nodes stand together: racks in blocks in pods, as their agents named them. Data, never
// code. A value, owned by the FreeIndex.

#include <array>
#include <map>
#include <string>
#include <vector>

#include "scheduler/core/job.h"
#include "scheduler/core/node.h"
#include "scheduler/core/node_set.h"

namespace berth {

// The levels between a node and the center, the closest first.
inline constexpr std::array<TopologyLevel, 3> kNodeLevels = {
    TopologyLevel::kRack, TopologyLevel::kBlock, TopologyLevel::kPod};

class Topology {
 public:
  // Numbers of domains of one level are below the size; a domain keeps its number.
  const std::vector<NodeSet>& Domains(TopologyLevel level) const;
  // -1: the node's agent named none.
  int DomainOf(TopologyLevel level, NodeId node) const;
  // Orders nodes so that neighbours are close: by the names of pod, block and rack, then id.
  void SortByPlace(std::vector<NodeId>& nodes) const;

  void Put(NodeId node, const TopologyPath& path);

 private:
  static constexpr size_t kLevels = kNodeLevels.size();
  struct Level {
    std::map<std::string, int> numbers;  // by the names from the pod down
    std::vector<NodeSet> domains;        // by number
  };
  struct Place {
    std::array<int, kLevels> domains{-1, -1, -1};
    int path = 0;
  };
  static size_t Slot(TopologyLevel level);
  const Place& PlaceOf(NodeId node) const;

  std::array<Level, kLevels> levels_;
  std::vector<Place> places_;  // by node
  std::map<std::string, int> path_numbers_ = {
      {"", 0}
  };
  std::vector<std::string> paths_ = {""};  // by number
};

// Of `candidates`, `count` that stand as close together as possible: all in the smallest domain of
// `level` that holds them, else of the level above, else in as few domains as possible. The
// smallest domain keeps the big ones whole. Candidates come in the order of preference inside one
// domain. With `strict`, nothing beyond one domain of `level`: then as many as there are, if at
// least `least`.
struct Gathering {
  TopologyLevel level = TopologyLevel::kNone;  // kNone: any
  bool strict = false;
  int count = 1;
  int least = 1;
};
std::vector<NodeId> Gather(const Topology& topology, const Gathering& wanted,
                           const std::vector<NodeId>& candidates);

// The most candidates that one domain of the level holds; all of them for kNone and kRing.
int LargestGathering(const Topology& topology, TopologyLevel level,
                     const std::vector<NodeId>& candidates);

}  // namespace berth

#endif  // BERTH_SCHEDULER_CORE_TOPOLOGY_H_
