#include "agent/entry_messages.h"

#include <cerrno>
#include <cstring>
#include <string>

#include "absl/strings/str_cat.h"

#include "agent/shim/shim_protocol.h"
#include <sys/wait.h>

namespace berth {
namespace {

constexpr int kTerminalRowsDefault = 24;
constexpr int kTerminalColumnsDefault = 80;

}  // namespace

EntryOrder ToEntryOrder(const v1::EnterJobRequest& request) {
  EntryOrder order;
  order.port = static_cast<int>(request.port());
  const v1::EnterJobRequest::Command& command = request.command();
  order.argv.assign(command.argv().begin(), command.argv().end());
  if (command.terminal()) {
    const auto rows = static_cast<int>(command.size().rows());
    const auto columns = static_cast<int>(command.size().columns());
    order.rows = rows > 0 ? rows : kTerminalRowsDefault;
    order.columns = columns > 0 ? columns : kTerminalColumnsDefault;
    order.terminal_type = command.terminal_type();
  }
  return order;
}

v1::ChannelEnd EndOfExit(int status) {
  v1::ChannelEnd end;
  if (WIFSIGNALED(status)) {
    end.set_signal(WTERMSIG(status));
  } else {
    end.set_exit_code(WEXITSTATUS(status));
  }
  return end;
}

v1::ChannelEnd EndOfFailure(const EntryEvent& event, const EntryOrder& order) {
  v1::ChannelEnd end;
  const bool not_executed = event.kind == EntryEvent::Kind::kExecFailed;
  end.set_exit_code(event.status == ENOENT ? kExitNotFound : kExitNotExecutable);
  end.set_not_found(not_executed && event.status == ENOENT);
  end.set_error(absl::StrCat(
      not_executed ? absl::StrCat("cannot execute ", order.argv[0])
                   : absl::StrCat("cannot ", event.step,
                                  order.port > 0 ? absl::StrCat(" ", order.port) : std::string()),
      ": ", std::strerror(event.status)));
  return end;
}

}  // namespace berth
