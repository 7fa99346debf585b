#ifndef BERTH_SCHEDULER_FENCE_COMMAND_H_
#define BERTH_SCHEDULER_FENCE_COMMAND_H_

// Runs the center's fence command: a program of the operators' that switches a node off and ends
// with 0 only when the node is off for sure.

#include <functional>
#include <string>
#include <vector>

#include "absl/time/time.h"

#include "common/program.h"

namespace berth {

// From one thread. Its end kills what still runs, which is not told as ended.
class FenceCommand {
 public:
  // `command` is a program's path and its first arguments; the node's name follows. A run that
  // takes longer than `timeout` is killed, with all that it started, and has failed.
  FenceCommand(std::vector<std::string> command, absl::Duration timeout);

  // `ended` is called once, on another thread, with the reason of the failure; empty: it ended with
  // 0. Must not block.
  using Ended = std::function<void(const std::string& failure)>;
  void Run(const std::string& node, Ended ended);

 private:
  const std::vector<std::string> command_;
  const absl::Duration timeout_;
  ProgramThreads threads_;
};

}  // namespace berth

#endif  // BERTH_SCHEDULER_FENCE_COMMAND_H_
