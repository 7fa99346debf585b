#ifndef BERTH_SCHEDULER_CORE_FRAGMENTATION_H_
#define BERTH_SCHEDULER_CORE_FRAGMENTATION_H_

// How much of what is idle on a node the jobs that are usually submitted could not use: the measure
// of "Beware of Fragmentation: Scheduling GPU-Sharing Workloads with Fragmentation Gradient
// Descent" (USENIX ATC'23), over the shapes that were submitted lately, in integers.

#include <cstdint>
#include <map>
#include <vector>

#include "absl/container/flat_hash_map.h"

#include "scheduler/core/free_index.h"
#include "scheduler/core/job.h"

namespace berth {

// What one member of a gang needs of its node.
struct MemberShape {
  HostResources host;
  int devices = 0;
  int share_milli = 0;           // of one device; 0: whole devices
  std::vector<ClassId> classes;  // ascending; empty: any

  friend auto operator<=>(const MemberShape&, const MemberShape&) = default;
};

// The shapes that are usual, newer ones counting more. A value, owned by the Cluster; one thread.
class ShapeMix {
 public:
  ShapeMix() = default;
  // A copy remembers no costs: it finds them again.
  ShapeMix(const ShapeMix& other);
  ShapeMix& operator=(const ShapeMix& other);

  void Add(const GangShape& gang);
  // Whether there is anything usual that needs devices.
  bool empty() const { return typical_.empty(); }
  // The idle milli-devices of the node that a job of the usual shapes could not use, on average,
  // times kWeightSum.
  int64_t Cost(const NodeSite& site, const NodeLoad& load) const;

  static constexpr int64_t kWeightSum = 1 << 20;

 private:
  struct Typical {
    MemberShape shape;
    int64_t weight = 0;
  };
  void Refresh();
  void Halve();

  std::map<MemberShape, int64_t> counts_;
  std::vector<Typical> typical_;  // the most usual first, weights add up to kWeightSum
  int64_t added_ = 0;
  mutable absl::flat_hash_map<uint64_t, int64_t> costs_;  // by a node's state
};

}  // namespace berth

#endif  // BERTH_SCHEDULER_CORE_FRAGMENTATION_H_
