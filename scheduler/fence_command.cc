#include "scheduler/fence_command.h"

#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

#include "common/check.h"
#include "common/program.h"
#include <sys/eventfd.h>
#include <unistd.h>

namespace berth {

FenceCommand::FenceCommand(std::vector<std::string> command, absl::Duration timeout)
    : command_(std::move(command)),
      timeout_(timeout),
      stop_event_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  BERTH_CHECK(!command_.empty() && stop_event_ >= 0);
}

FenceCommand::~FenceCommand() {
  eventfd_write(stop_event_, 1);
  for (Running& running : running_) {
    running.thread.join();
  }
  close(stop_event_);
}

void FenceCommand::Run(const std::string& node, Ended ended) {
  JoinEnded();
  Running& running = running_.emplace_back();
  running.thread = std::thread([this, &running, node, ended = std::move(ended)] {
    ProgramRun run{.arguments = command_,
                   .environment = {absl::StrCat("BERTH_NODE_NAME=", node)},
                   .timeout = timeout_,
                   .stop_event = stop_event_};
    run.arguments.push_back(node);
    const absl::Status status = RunProgram(run).status();
    if (!absl::IsCancelled(status)) {
      ended(std::string(status.message()));
    }
    running.is_over = true;
  });
}

void FenceCommand::JoinEnded() {
  for (auto running = running_.begin(); running != running_.end();) {
    if (!running->is_over) {
      ++running;
      continue;
    }
    running->thread.join();
    running = running_.erase(running);
  }
}

}  // namespace berth
