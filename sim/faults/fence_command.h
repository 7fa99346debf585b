#ifndef BERTH_SIM_FAULTS_FENCE_COMMAND_H_
#define BERTH_SIM_FAULTS_FENCE_COMMAND_H_

// The center's fence command: it switches a node off and says so, sooner or later, or it fails.
// Somebody switches the node on again. Owned by the World; one thread.

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "sim/faults/machine.h"
#include "sim/faults/timeline.h"

namespace berth::sim {

class FenceCommand {
 public:
  FenceCommand(Timeline& timeline, const std::vector<std::unique_ptr<Machine>>& machines)
      : timeline_(timeline), machines_(machines) {}

  // `ended` is told why it failed; empty: the node was off.
  using Ended = std::function<void(const std::string& failure)>;
  void Run(int node, Ended ended);

 private:
  Timeline& timeline_;
  const std::vector<std::unique_ptr<Machine>>& machines_;
};

}  // namespace berth::sim

#endif  // BERTH_SIM_FAULTS_FENCE_COMMAND_H_
