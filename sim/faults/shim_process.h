#ifndef BERTH_SIM_FAULTS_SHIM_PROCESS_H_
#define BERTH_SIM_FAULTS_SHIM_PROCESS_H_

// A model of berth-shim (agent/shim/task_shim.h): it holds the devices' locks, starts the task,
// enforces lease and time limit by the machine's clock, and records the exit. It outlives the
// agent. Owned by its Machine; one thread.

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

#include "agent/core/agent_core.h"
#include "proto/agent_api.pb.h"
#include "sim/faults/observer.h"

namespace berth::sim {

class Machine;

// What a job's command does; the specification's bytes in this simulation.
struct TaskScript {
  int64_t run_us = 0;
  int exit_code = 0;
  int64_t stop_us = 0;     // from the stop signal to its end; negative: it does not listen
  int64_t launch_us = 0;   // until its first process
  bool is_program = true;  // else it cannot be executed

  std::string Encode() const;
  static TaskScript Decode(absl::string_view text);
};

// Of every task on its node.
constexpr int kRendezvousPort = 20000;

class ShimProcess {
 public:
  enum class State { kStarting, kPrepared, kRunning, kStopping };

  ShimProcess(Machine& machine, v1::Assignment assignment, absl::Duration lease_deadline);
  ShimProcess(const ShimProcess&) = delete;
  ShimProcess& operator=(const ShimProcess&) = delete;

  const v1::Assignment& assignment() const { return assignment_; }
  State state() const { return state_; }
  bool has_locks() const { return state_ != State::kStarting; }
  bool has_init() const { return has_init_; }
  uint64_t number() const { return number_; }

  // The life of the agent that it talks to; another one has to adopt it first.
  void TalkTo(uint64_t agent_life) { agent_life_ = agent_life; }

  // ---- What the agent says; kept until the shim reads it ----
  void Start();
  void Stop(v1::StopReason reason, absl::Duration grace);
  void SetLease(absl::Duration deadline);

  // ---- What happens ----
  void Begin();
  // Its init was killed, and with it all processes.
  void InitKilled();
  // The last process is gone.
  void ProcessesGone();
  // Some of them do not die.
  void ProcessesStay();

 private:
  struct Command {
    enum class Kind { kStart, kStop, kSetLease } kind = Kind::kStart;
    v1::StopReason reason = v1::STOP_REASON_UNSPECIFIED;
    absl::Duration time;
  };

  // Dropped when nobody listens.
  void Tell(const TaskEvent& event);
  void Run(const Command& command);
  void Do(const Command& command);
  void TakeLocks();
  // It reads nothing until the task's first process is there.
  void StartInit();
  void BeginTask();
  void ReadCommands(std::vector<Command> commands);
  void CommandEnds(int exit_code, int signal);
  void KillTask();
  absl::Duration NextDeadline() const;
  void Arm();
  void OnTimer();
  void Finish();
  // Calls back when this very process still lives.
  template <typename Then>
  void After(int64_t delay_us, Then then);

  Machine& machine_;
  const v1::Assignment assignment_;
  const TaskScript script_;
  const uint64_t number_;
  uint64_t agent_life_ = 0;
  State state_ = State::kStarting;
  std::vector<Command> unread_;
  absl::Duration lease_deadline_;
  absl::Duration limit_stop_ = absl::InfiniteDuration();
  absl::Duration limit_kill_ = absl::InfiniteDuration();
  absl::Duration kill_at_ = absl::InfiniteDuration();
  int64_t armed_us_ = INT64_MAX;
  bool launches_ = false;
  bool has_init_ = false;
  bool killed_ = false;
  ExitRecord record_;
};

}  // namespace berth::sim

#endif  // BERTH_SIM_FAULTS_SHIM_PROCESS_H_
