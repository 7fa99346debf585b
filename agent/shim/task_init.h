#ifndef BERTH_AGENT_SHIM_TASK_INIT_H_
#define BERTH_AGENT_SHIM_TASK_INIT_H_

// The first process of a task: pid 1 of its pid namespace where that is possible, else a subreaper.
// It starts one process per rank, reaps, signals every process of the task when told to, and takes
// all of them with it when it ends.

#include <cstdint>
#include <vector>

#include "agent/shim/shim_protocol.h"
#include <sys/types.h>

namespace berth {

// From the init to the shim, one packet each.
struct InitEvent {
  enum class Kind : uint32_t {
    kStarted,     // every rank executes its command
    kExecFailed,  // rank, status = errno
    kNoFolder,    // rank, status = errno: the working directory cannot be entered
    kExited,      // rank, status as of wait(2)
    kFailed,      // the task could not be set up; status = errno, step = at what
  };
  Kind kind = Kind::kStarted;
  int32_t rank = 0;
  int32_t status = 0;
  char step[64] = {};
};

// From the shim to the init, one packet each: the signal to send to every process of the task.
struct InitCommand {
  int32_t signal = 0;
};

struct TaskInit {
  pid_t pid = -1;
  int socket = -1;            // the shim's end
  bool in_namespace = false;  // killing the init kills all
};

struct InputPipe {
  int reader = -1;
  int writer = -1;
};

// What the ranks' processes read and write.
struct RankStreams {
  InputPipe input;           // of the first rank; without one it reads nothing, as the others
  std::vector<int> outputs;  // by rank
};

// Starts the init of a task; the streams are the init's own from then on; `notices` is the socket
// that it shows where mounts are the task's own. On failure pid is -1 and errno is set.
TaskInit StartTaskInit(const TaskFile& task, const RankStreams& streams, int notices);

}  // namespace berth

#endif  // BERTH_AGENT_SHIM_TASK_INIT_H_
