#ifndef BERTH_AGENT_SHIM_TASK_INIT_H_
#define BERTH_AGENT_SHIM_TASK_INIT_H_

// The first process of a task: started by the shim, in a pid namespace of its own where that is
// possible, and running as the task's user. It starts the ranks, reaps whatever becomes its child,
// and passes signals on. When it ends, nothing of the task is left: the kernel sees to that in a
// namespace, it does it itself elsewhere.

#include <cstdint>
#include <vector>

#include "agent/shim/shim_protocol.h"
#include <sys/types.h>

namespace berth::shim {

enum class InitEventKind : int32_t {
  kSetupFailed = 1,  // nothing was started; see step and error
  kExecFailed = 2,   // this rank's command could not be executed
  kStarted = 3,      // every rank's command is executed
  kRankExited = 4,   // see wait_status
};

enum class LaunchStep : int32_t {
  kNone = 0,
  kNamespace = 1,
  kUser = 2,
  kProcess = 3,
  kDirectory = 4,
  kExec = 5,
};

// One packet from the init to the shim.
struct InitEvent {
  InitEventKind kind = InitEventKind::kSetupFailed;
  int32_t rank = -1;
  int32_t wait_status = 0;
  LaunchStep step = LaunchStep::kNone;
  int32_t error = 0;
};

// The only order the shim gives: send this signal to every process of the task.
struct InitSignal {
  int32_t signal = 0;
};

struct InitLaunch {
  const TaskPlan* plan = nullptr;
  const StartOrder* order = nullptr;
  const std::vector<int>* logs = nullptr;  // one per process
  int shim_socket = -1;                    // the init's end of a SOCK_SEQPACKET pair
  // The shim's own descriptors: the others must see at once when the shim is gone.
  std::vector<int> foreign;
};

// Starts the init as a child of the calling single-threaded process. Returns: its pid, or -1 with
// errno.
pid_t StartTaskInit(const InitLaunch& launch);

// Whether a task can have a pid namespace here. Starts and ends a process.
bool CanMakePidNamespace();

}  // namespace berth::shim

#endif  // BERTH_AGENT_SHIM_TASK_INIT_H_
