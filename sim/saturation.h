#ifndef BERTH_SIM_SATURATION_H_
#define BERTH_SIM_SATURATION_H_

// Pods that arrive one by one on nodes that only fill up: nothing departs, and what does not fit is
// dropped but counts as demand that arrived.

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "sim/policies/fragmentation.h"
#include "sim/policies/placement_policy.h"
#include "sim/random.h"
#include "sim/trace_reader.h"

namespace berth::sim {

struct SaturationReport {
  int64_t placed = 0;
  int64_t failed = 0;
  double gpu_alloc_percent = 0;  // at the end
  double cpu_alloc_percent = 0;
  // By the demand that had arrived, in percent of the capacity. A point that the stream does not
  // reach, even rounded, is left out.
  std::map<int, double> alloc_percent_at;
  std::map<int, double> frag_percent_at;  // of what is idle
  double wall_seconds = 0;
};

// Where a pod goes.
struct PodPlace {
  int node = -1;             // number in the list; -1: nowhere
  std::vector<int> devices;  // on it
};
// Places pods one by one and remembers them.
using PodPlacer = std::function<PodPlace(const PodShape&)>;

class Saturation {
 public:
  // The first pods of the stream, before its tail, say what is typical.
  Saturation(const std::vector<TraceNode>& nodes, const std::vector<TracePod>& stream,
             const PlacementPolicyEntry& policy, uint64_t seed);
  // With places that someone else chooses.
  Saturation(const std::vector<TraceNode>& nodes, const std::vector<TracePod>& stream,
             PodPlacer placer);

  SaturationReport Run();

 private:
  // A score of one shape on one node, and the state of the node it is for.
  struct Known {
    uint32_t version = 0;  // of the node; 0: none
    bool fits = false;
    NodeScore score;
  };
  struct Choice {
    int node = -1;
    int device = -1;
  };

  void AddNodes(const std::vector<TraceNode>& nodes);
  const Known& Look(size_t shape, int node);
  Choice Choose(size_t shape);
  bool Place(const PodShape& shape);
  bool PlaceByPolicy(const PodShape& shape);
  void Measure(int point, SaturationReport& report);

  const std::vector<TracePod>& stream_;
  const Ties ties_;
  Random random_;
  Fragmentation fragmentation_;
  std::unique_ptr<PlacementPolicy> policy_;  // or
  PodPlacer placer_;
  std::vector<NodeState> nodes_;
  std::vector<uint32_t> versions_;  // by node, from 1
  std::map<PodShape, size_t> shape_ids_;
  std::vector<PodShape> shapes_;
  std::vector<std::vector<Known>> known_;  // [shape][node]
  int64_t device_capacity_ = 0;            // milli
  int64_t cpu_capacity_ = 0;
  int64_t device_used_ = 0;
  int64_t cpu_used_ = 0;
};

}  // namespace berth::sim

#endif  // BERTH_SIM_SATURATION_H_
