#ifndef BERTH_SIM_FAULTS_AGENT_PROCESS_H_
#define BERTH_SIM_FAULTS_AGENT_PROCESS_H_

// One life of berth-agent: the real AgentCore with what agent/agent.cc and agent/task_runner.cc do
// around it. Owned by its Machine; one thread.

#include <cstdint>
#include <functional>
#include <optional>
#include <set>

#include "agent/core/agent_core.h"
#include "agent/core/output_queue.h"
#include "sim/faults/network.h"

namespace berth::sim {

class Machine;

// After so long an agent gives up on a task that does not die.
constexpr int64_t kStuckAfter = 10 * kSecond;

// Where the process dies while it carries something out.
enum class AgentCrash { kNone, kBeforeJournal, kAfterJournal, kAfterActions };

class AgentProcess {
 public:
  AgentProcess(Machine& machine, uint64_t life);
  AgentProcess(const AgentProcess&) = delete;
  AgentProcess& operator=(const AgentProcess&) = delete;

  // Reads the journal, adopts what runs, connects.
  void Begin();
  uint64_t life() const { return life_; }
  const AgentCore& core() const { return core_; }
  void Pause(int64_t until_us) { paused_until_us_ = until_us; }
  bool IsPaused() const;

  // From the network.
  void OnMessage(StreamId stream, const v1::SchedulerMessage& message);
  void OnStreamEnded(StreamId stream);
  // From a supervisor: it says something, or it has ended.
  void OnShim(const TaskEvent& event);
  void OnShimEnded(const v1::Assignment& assignment);
  // A task that was killed does not die; 0: no task of this agent's.
  void OnStuck(uint64_t allocation);

 private:
  // Dropped when this life ends, late when it is paused.
  void After(int64_t delay_us, std::function<void()> event);
  void Connect();
  void Beat(StreamId stream);
  // Returns: whether the process is still there.
  bool Adopt();
  void AdoptOne(const JournaledTask& task);
  void OnTask(const TaskEvent& event);
  // Returns: whether the process is still there.
  bool Carry(AgentOutput output);
  bool CarryWaiting();
  // `whole`: the journal is compacted to it.
  void CarryOutOnceSynced(bool is_written, std::optional<AgentState> whole, AgentCrash crash);
  bool CarryOut(bool is_written, AgentCrash crash);
  void Say(v1::AgentMessage message);
  bool Dies(AgentCrash at, AgentCrash point);
  void RefuseUnwritten(const AgentOutput& output);
  void CatchUp();
  void CaughtUp();
  void Run(const TaskAction& action);
  void Act(const PrepareTask& action);
  void Act(const RunTask& action);
  void Act(const StopTask& action);
  void Act(const SetLease& action);
  void Act(const DropTask& action);
  void PrepareWhenClean(const PrepareTask& action, int64_t give_up_us);
  // Tells it once nothing of the task runs any more.
  void ReportWhenGone(uint64_t allocation, const TaskEvent& event, int64_t patience_us);
  TaskEvent EndOf(const v1::Assignment& assignment) const;

  Machine& machine_;
  const uint64_t life_;
  AgentCore core_;
  OutputQueue outputs_;
  bool has_writer_ = false;  // as once the agent's loop runs
  StreamId stream_ = 0;      // 0: none
  int64_t paused_until_us_ = 0;
  int64_t backoff_us_;
  int64_t heard_us_ = 0;  // what supervisors said last arrives then
  bool journal_is_behind_ = false;
  std::set<uint64_t> tasks_;          // whose supervisor this life talks to
  std::set<uint64_t> waiting_;        // for clean devices
  std::set<uint64_t> stopped_early_;  // meanwhile
};

}  // namespace berth::sim

#endif  // BERTH_SIM_FAULTS_AGENT_PROCESS_H_
