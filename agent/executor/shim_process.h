#ifndef BERTH_AGENT_EXECUTOR_SHIM_PROCESS_H_
#define BERTH_AGENT_EXECUTOR_SHIM_PROCESS_H_

// The agent's end of the conversation with one shim: started by this agent, or by an earlier one
// and found again. Dropping it leaves the shim alone.

#include <optional>
#include <string>
#include <variant>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "agent/shim/shim_protocol.h"
#include <sys/types.h>

namespace berth {

class ShimProcess {
 public:
  // By posix_spawn: the agent may be large.
  static absl::StatusOr<ShimProcess> Start(const std::string& shim_path, const std::string& folder);
  // Connects to a shim that outlived its agent; NotFound if none listens there.
  static absl::StatusOr<ShimProcess> Find(int folder_descriptor);

  ShimProcess(ShimProcess&& other) noexcept;
  ShimProcess& operator=(ShimProcess&& other) noexcept;
  ~ShimProcess();

  int socket() const { return socket_; }
  void Send(const AgentCommand& command) const;
  // The next event or notice, if one is there. `ended`: the shim has closed the conversation.
  using Message = std::variant<ShimEvent, ShimNotice>;
  std::optional<Message> Receive(bool& ended) const;
  // Waits up to a second for the answer to a status command, kStatus; none: it does not come.
  std::optional<ShimEvent> AskStatus() const;
  // The shim's own, whoever started it; -1 if it is gone.
  pid_t pid() const;
  // After `ended`: takes the dead child away.
  void Reap();

 private:
  ShimProcess(int socket, pid_t pid) : socket_(socket), pid_(pid) {}
  int socket_;
  pid_t pid_;  // -1: another agent's child
};

}  // namespace berth

#endif  // BERTH_AGENT_EXECUTOR_SHIM_PROCESS_H_
