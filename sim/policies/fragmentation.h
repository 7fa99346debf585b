#ifndef BERTH_SIM_POLICIES_FRAGMENTATION_H_
#define BERTH_SIM_POLICIES_FRAGMENTATION_H_

// How much of a node's idle device capacity the expected pods cannot use: the measure of "Beware
// of Fragmentation: Scheduling GPU-Sharing Workloads with Fragmentation Gradient Descent"
// (ATC'23).

#include <cstdint>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/inlined_vector.h"

#include "sim/policies/node_state.h"

namespace berth::sim {

struct TypicalPod {
  PodShape shape;  // without memory, which the measure does not look at
  double share = 0;
};

// The most frequent shapes, those seen first among equals, until 95 % of the pods are covered; the
// shares add up to 1.
std::vector<TypicalPod> TypicalPods(const std::vector<TracePod>& pods);

class Fragmentation {
 public:
  explicit Fragmentation(std::vector<TypicalPod> typical);

  // Milli-devices: sum over the typical pods of their share x the idle capacity of the node that
  // such a pod could not use. All of it when the pod needs no device, or lacks CPU, devices or the
  // right model; else what is free on devices with less room than it asks.
  double Of(const NodeState& node);

 private:
  using Key = absl::InlinedVector<uint16_t, 12>;

  Key KeyOf(const NodeState& node);
  double Measure(const NodeState& node) const;

  std::vector<TypicalPod> typical_;
  std::vector<int64_t> cpu_steps_;  // what typical pods ask, sorted: the rest of the CPU is alike
  std::map<std::string, uint16_t> models_;
  absl::flat_hash_map<Key, double> known_;
};

}  // namespace berth::sim

#endif  // BERTH_SIM_POLICIES_FRAGMENTATION_H_
