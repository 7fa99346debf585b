#include "scheduler/fence_command.h"

#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

#include "common/check.h"

namespace berth {

FenceCommand::FenceCommand(std::vector<std::string> command, absl::Duration timeout)
    : command_(std::move(command)), timeout_(timeout) {
  BERTH_CHECK(!command_.empty());
}

void FenceCommand::Run(const std::string& node, Ended ended) {
  ProgramRun run{.arguments = command_,
                 .environment = {absl::StrCat("BERTH_NODE_NAME=", node)},
                 .timeout = timeout_,
                 .stop_event = threads_.stop_event()};
  run.arguments.push_back(node);
  threads_.Start([run = std::move(run), ended = std::move(ended)] {
    const absl::Status status = RunProgram(run).status();
    if (!absl::IsCancelled(status)) {
      ended(std::string(status.message()));
    }
  });
}

}  // namespace berth
