#ifndef BERTH_AGENT_SHIM_TASK_SHIM_H_
#define BERTH_AGENT_SHIM_TASK_SHIM_H_

// The supervisor of one task: takes the device locks, waits for the start, runs the task under its
// init, enforces lease and time limit, stops it in order, and records its exit. One thread. It
// outlives the agent, which may come and go; its own end ends the task.

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "agent/shim/agent_link.h"
#include "agent/shim/notice_socket.h"
#include "agent/shim/rank_log.h"
#include "agent/shim/shim_protocol.h"
#include "agent/shim/task_init.h"
#include "agent/shim/task_input.h"
#include "agent/shim/task_limits.h"

namespace berth {

class TaskShim {
 public:
  // `folder` is the task's folder and the working directory; `agent` the first agent's socket or
  // -1.
  TaskShim(int folder, int agent) : folder_(folder), agent_(agent) {}

  // Until the task is over and its exit recorded. Returns the process's exit code.
  int Run();

 private:
  bool Prepare();
  void PollOnce();
  void ArmTimer() const;
  void OnTimer();
  void OnInit();
  void OnCommand(const AgentCommand& command);
  void Start();
  // Starts the init with its logs; false: errno says why.
  bool StartInit();
  void RankEnded(int32_t rank, int32_t status);
  void RankFailed(int32_t rank, int exit_code, int signal);
  // The first reason stays; the grace only gets shorter.
  void Stop(int64_t reason, int64_t grace_ms, const char* message);
  void KillTask();
  // The init is gone: over once its control groups are empty too.
  void AwaitEmpty();
  void Finish();
  void Tell(ShimEvent::Kind kind, const char* message);
  // What the task has told of itself, if anything.
  void TellNotice();
  // The pid of the init while the task runs, as text for an event.
  std::string InitText() const;
  int64_t NextDeadlineNs() const;

  const int folder_;
  AgentLink agent_;
  int timer_ = -1;
  TaskFile task_;
  TaskInit init_;
  std::deque<RankLog> logs_;  // by rank
  NoticeSocket notices_;
  TaskInput input_;

  bool started_ = false;  // the init was told to go
  bool running_ = false;  // every rank executes
  bool stopping_ = false;
  bool killed_ = false;
  bool init_gone_ = false;
  bool stuck_ = false;  // and told so
  bool done_ = false;
  TaskLimits limits_;
  int64_t kill_ns_ = 0;  // CLOCK_BOOTTIME; end of the grace
  int64_t init_gone_ns_ = 0;
  int64_t look_again_ns_ = 0;  // for processes left in the control groups; 0: not needed
  ExitRecord record_;
};

}  // namespace berth

#endif  // BERTH_AGENT_SHIM_TASK_SHIM_H_
