#ifndef BERTH_SIM_POLICIES_PLACEMENT_POLICY_H_
#define BERTH_SIM_POLICIES_PLACEMENT_POLICY_H_

// The named policies of `berth-sim saturate` beside Berth's own, as the evaluation of "Beware of
// Fragmentation" (ATC'23) defines them: integer scores, the highest wins.

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "sim/policies/fragmentation.h"
#include "sim/policies/node_state.h"

namespace berth::sim {

struct NodeScore {
  int64_t score = 0;
  int device = -1;  // for a share of a device
};

class PlacementPolicy {
 public:
  virtual ~PlacementPolicy() = default;
  // A function of its arguments. Requires: the pod fits the node.
  virtual NodeScore Score(const NodeState& node, const PodShape& pod) = 0;
};

enum class Ties { kFirstNode, kRandomNode };

struct PlacementPolicyEntry {
  const char* name = nullptr;
  const char* summary = nullptr;
  Ties ties = Ties::kFirstNode;
  // `fragmentation` outlives the policy.
  std::unique_ptr<PlacementPolicy> (*make)(Fragmentation& fragmentation) = nullptr;
};

const std::vector<PlacementPolicyEntry>& PlacementPolicies();
// An error names the policies there are.
absl::StatusOr<PlacementPolicyEntry> FindPlacementPolicy(absl::string_view name);

}  // namespace berth::sim

#endif  // BERTH_SIM_POLICIES_PLACEMENT_POLICY_H_
