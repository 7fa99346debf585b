#ifndef BERTH_SCHEDULER_NODE_LOG_H_
#define BERTH_SCHEDULER_NODE_LOG_H_

// What the log tells an operator of nodes: quarantines, losses, and nodes that are held because
// many fell silent together. On the control loop's thread.

#include <map>

#include "scheduler/core/cluster.h"

namespace berth {

class NodeLog {
 public:
  // After each turn, when its changes are durable.
  void Note(const Changes& changes, const Cluster& cluster);

 private:
  std::map<NodeId, NodeState> states_;  // as logged
  int held_ = 0;
};

}  // namespace berth

#endif  // BERTH_SCHEDULER_NODE_LOG_H_
