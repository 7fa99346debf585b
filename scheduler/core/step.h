#ifndef BERTH_SCHEDULER_CORE_STEP_H_
#define BERTH_SCHEDULER_CORE_STEP_H_

// What every part of the engine that handles one event works on.

#include <cstdint>
#include <utility>
#include <vector>

#include "absl/time/time.h"

#include "scheduler/core/cluster.h"
#include "scheduler/core/node_command.h"
#include "scheduler/core/policy.h"

namespace berth {

struct Step {
  Cluster& cluster;
  const Policy& policy;
  uint64_t sched_epoch;
  absl::Time now;
  std::vector<NodeCommand>& commands;

  // Dropped when the node has no session: its next hello brings everything up again.
  template <typename Command>
  void Send(NodeId node, Command command) const {
    const SessionId session = cluster.GetNode(node).session;
    if (session) {
      commands.push_back({node, session, std::move(command)});
    }
  }
};

}  // namespace berth

#endif  // BERTH_SCHEDULER_CORE_STEP_H_
