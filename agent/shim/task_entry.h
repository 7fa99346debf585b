#ifndef BERTH_AGENT_SHIM_TASK_ENTRY_H_
#define BERTH_AGENT_SHIM_TASK_ENTRY_H_

// `berth-shim --enter`: runs one more command inside a task that runs already, or connects to a
// port there. Plain C++ without libraries.
//
// A first process joins the task's pid namespace, which only its children are in. Its child, the
// guard, takes on everything else that the task is confined by, in the order of the task's own
// init, and starts the command. The guard is the command's subreaper: it ends with its command, and
// takes along whatever the command has left. It ends, too, when its agent closes the conversation,
// and is killed by the kernel with the task's init.

#include <cstdint>
#include <string>
#include <vector>

namespace berth {

// Descriptors that the agent gives the program: its end of a SOCK_SEQPACKET conversation, and a
// pidfd of the task's init.
inline constexpr int kEntryAgentDescriptor = 3;
inline constexpr int kEntryInitDescriptor = 4;

// From the guard to the agent, one packet each.
struct EntryEvent {
  enum class Kind : uint32_t {
    kStarted,     // with the terminal's master or the connection as SCM_RIGHTS, if there is one
    kExited,      // status as of wait(2); nothing that the command started is left
    kExecFailed,  // status = errno
    kFailed,      // the task cannot be entered; status = errno, step = at what
  };
  Kind kind = Kind::kStarted;
  int32_t status = 0;
  char step[64] = {};
};

// From the agent to the guard, one packet each: for the command's process group.
struct EntryCommand {
  int32_t signal = 0;
};

struct EntryOrder {
  std::string folder;  // of the task, as the host sees it
  int rank = 0;        // in the task
  int init = 0;        // the pid of the task's init, as the host sees it
  int port = 0;        // connects to it, instead of a command
  int rows = 0;        // with columns: the command gets a terminal
  int columns = 0;
  std::string terminal_type;
  std::vector<std::string> argv;
};

// The words after "berth-shim", and back; false: they are not these.
std::vector<std::string> EncodeEntryOrder(const EntryOrder& order);
bool DecodeEntryOrder(const std::vector<std::string>& words, EntryOrder& order);

// Until it is over. Returns the process's exit code. Requires: one thread.
int EnterTask(const EntryOrder& order);

}  // namespace berth

#endif  // BERTH_AGENT_SHIM_TASK_ENTRY_H_
