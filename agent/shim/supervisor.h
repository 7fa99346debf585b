#ifndef BERTH_AGENT_SHIM_SUPERVISOR_H_
#define BERTH_AGENT_SHIM_SUPERVISOR_H_

// The shim's life: take the plan, hold the locks, start the task when told, end it on time, record
// how it ended. One thread; outlives the agent.

#include <cstdint>
#include <list>
#include <optional>
#include <string>
#include <vector>

#include "agent/shim/exit_record.h"
#include "agent/shim/shim_protocol.h"
#include "agent/shim/task_init.h"
#include "agent/shim/wire.h"

namespace berth::shim {

class Supervisor {
 public:
  // `control` is the socket of the agent that started this shim. The working directory is the
  // task's folder.
  explicit Supervisor(int control);
  ~Supervisor();
  Supervisor(const Supervisor&) = delete;
  Supervisor& operator=(const Supervisor&) = delete;

  // Until the task has ended. Returns: the shim's exit code.
  int Run();

 private:
  // An agent, or who comes after it.
  struct Peer {
    int socket = -1;
    FrameBuffer input;
    bool gone = false;
  };

  // ---- The agents' side ----
  bool ReceivePlan();
  bool TakePlan(const Frame& frame);
  void AcceptPeer();
  void ReadPeer(Peer& peer);
  void HandleFrame(const Frame& frame);
  void TellStatus(Peer& peer);
  void TellAll();

  // ---- The task's side ----
  void Start(StartOrder order);
  void Stop(const StopOrder& order);
  void SignalTask(int signal);
  void WriteStopFile(const StopOrder& order);
  void ReadInit();
  void HandleInitEvent(const InitEvent& event);
  void NoteFirstFailure(int rank, int exit_code, int signal);
  void NoteExecFailure(const InitEvent& event);
  void ReapInit();
  // Ends a task of which nothing runs any more.
  void Finish();

  // ---- Time ----
  void CheckDeadlines();
  void SetTimer();

  void WaitForEvent();

  std::list<Peer> peers_;
  int listener_ = -1;
  int timer_ = -1;
  int signals_ = -1;
  int init_socket_ = -1;
  pid_t init_ = 0;
  std::vector<int> locks_;
  std::vector<int> logs_;
  std::optional<TaskPlan> plan_;
  ShimState state_ = ShimState::kHolding;
  bool started_ = false;
  ExitRecordFile exit_file_;
  ExitRecord exit_;
  bool failing_ = false;  // a rank has failed; exit_ says which
  // CLOCK_BOOTTIME; 0: never.
  int64_t lease_at_ns_ = 0;
  int64_t limit_at_ns_ = 0;       // the stop signal of the time limit
  int64_t limit_kill_at_ns_ = 0;  // its end
  int64_t kill_at_ns_ = 0;
};

}  // namespace berth::shim

#endif  // BERTH_AGENT_SHIM_SUPERVISOR_H_
