#ifndef BERTH_SCHEDULER_CORE_FENCING_H_
#define BERTH_SCHEDULER_CORE_FENCING_H_

// Which silent nodes the center's fence command is to switch off, and when: what is on a node that
// is off need not wait for its lease (protocol.md, "Lease", rule d).

#include <map>
#include <string>
#include <vector>

#include "absl/time/time.h"

#include "scheduler/core/cluster.h"
#include "scheduler/core/policy.h"

namespace berth {

// One run of the fence command. What comes of it goes to the engine as NoteFence.
struct FenceOrder {
  NodeId node;
  std::string name;
  absl::Time silent_since;
};

// Owned by whoever takes the turns, and gone with the process: a new one hears the nodes first.
class Fencing {
 public:
  // The orders to carry out from now on, each until Ended. A node is due that holds something, has
  // been silent for Policy::fence_after, and was found so in several looks: a scheduler that stood
  // still itself hears the nodes before it judges them. Nodes that fell silent together with many
  // are not fenced: it is rather the network that is broken.
  std::vector<FenceOrder> Look(const Cluster& cluster, const Policy& policy, absl::Time now);
  // A fence that failed is tried again, later each time.
  void Ended(NodeId node, bool has_succeeded, absl::Time now);
  // InfiniteFuture without a fence command.
  absl::Time NextLook(const Policy& policy) const;

 private:
  struct Silence {
    absl::Time since;
    int looks = 0;
    int failures = 0;
    bool is_being_fenced = false;
    absl::Time not_before = absl::InfinitePast();
  };
  void NoteSilent(const Cluster& cluster, const Policy& policy, absl::Time now);

  std::map<NodeId, Silence> silences_;  // of nodes that may be dead
  absl::Time next_look_ = absl::InfinitePast();
};

}  // namespace berth

#endif  // BERTH_SCHEDULER_CORE_FENCING_H_
