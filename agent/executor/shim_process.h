#ifndef BERTH_AGENT_EXECUTOR_SHIM_PROCESS_H_
#define BERTH_AGENT_EXECUTOR_SHIM_PROCESS_H_

// The agent's end of the conversation with one shim: of this agent (shim_starter.h), or of an
// earlier one and found again. Dropping it leaves the shim alone.

#include <optional>
#include <variant>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "agent/shim/shim_protocol.h"
#include "common/descriptor.h"
#include <sys/types.h>

namespace berth {

// To a socket of a shim's that listens under this name in its task's folder. NotFound: none does.
// Unavailable: too many wait there already, and none was taken for some seconds.
absl::StatusOr<Descriptor> ConnectToShim(int folder_descriptor, const char* name);

class ShimProcess {
 public:
  // Takes the socket.
  explicit ShimProcess(int socket) : socket_(socket) {}
  // Connects to a shim that outlived its agent; errors as of ConnectToShim.
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
  // The shim is a child of this process, and its own to reap.
  void SetChild(pid_t pid) { pid_ = pid; }
  // After `ended`: takes the dead child away.
  void Reap();

 private:
  int socket_;
  pid_t pid_ = -1;  // -1: another agent's child
};

}  // namespace berth

#endif  // BERTH_AGENT_EXECUTOR_SHIM_PROCESS_H_
