#ifndef BERTH_SIM_FAULTS_MACHINE_H_
#define BERTH_SIM_FAULTS_MACHINE_H_

// One node: its clock, its disk, its processes, and the agent on it. A reboot ends all but the
// disk. Owned by the World; one thread.

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "agent/core/journal_record.h"
#include "proto/agent_api.pb.h"
#include "sim/faults/agent_process.h"
#include "sim/faults/coverage.h"
#include "sim/faults/journal_file.h"
#include "sim/faults/network.h"
#include "sim/faults/observer.h"
#include "sim/faults/shim_process.h"
#include "sim/faults/sim_clock.h"
#include "sim/faults/timeline.h"

namespace berth::sim {

class Machine {
 public:
  struct Parts {
    Timeline& timeline;
    Observer& observer;
    Network& network;
    Coverage& coverage;
  };
  // Not booted yet.
  Machine(const Parts& parts, int number, int devices);
  Machine(const Machine&) = delete;
  Machine& operator=(const Machine&) = delete;

  // ---- What happens to it ----
  void Boot();
  // Everything but the disk is gone at once; it boots again after a while.
  void Reboot();
  // The same, but it stays off until somebody switches it on.
  void SwitchOff();
  void SwitchOn();
  bool is_off() const { return is_off_; }
  // Its agent, if it runs, finds something wrong that is no task's.
  void FindFault();
  // One device is another from the next boot on.
  void SwapDevice(uint64_t pick);
  // What is killed until then does not die for a long time.
  void KeepAlive(int64_t until_us) { undying_until_us_ = until_us; }
  // Its processes and its clock do nothing for a while.
  void StandStill(int64_t duration_us);
  // Its service manager starts it again after `away_us`.
  void KillAgent(int64_t away_us);
  void PauseAgent(int64_t duration_us);
  // The agent dies, and of its journal the end is gone, or all, or with it the tasks' folders.
  enum class Loss { kEnd, kJournal, kFolders };
  void LoseJournal(Loss loss, int64_t away_us);
  // At the next journal record.
  void CrashAgentAt(AgentCrash point) { agent_crash_ = point; }
  // One of its supervisors, or of their inits; nothing if there are none. `pick` is any number.
  void KillShim(uint64_t pick);
  void KillInit(uint64_t pick);
  void SetDiskFull(bool is_full) { disk_full_ = is_full; }

  void OnMessage(StreamId stream, const v1::SchedulerMessage& message);
  void OnStreamEnded(StreamId stream);

  // Nothing of any task is here, on disk or running, that is not acknowledged.
  bool IsQuiet() const;
  void AddCoverage();

  // ---- What its processes use ----
  Timeline& timeline() { return parts_.timeline; }
  Observer& observer() { return parts_.observer; }
  Network& network() { return parts_.network; }
  Coverage& coverage() { return parts_.coverage; }
  int number() const { return number_; }
  const std::string& name() const { return name_; }
  const v1::NodeFacts& facts() const { return facts_; }
  std::string BootId() const;
  absl::Duration Clock() const { return clock_.Read(parts_.timeline.now_us()); }
  int64_t WhenItReads(absl::Duration reading) const { return clock_.WhenItReads(reading); }
  // Dropped by a reboot, late when the machine stands still.
  void After(int64_t delay_us, std::function<void()> event);
  bool disk_full() const { return disk_full_; }
  JournalFile& journal() { return journal_; }
  // The crash that is to come at this journal record, once.
  AgentCrash TakeAgentCrash();
  void AgentDied(int64_t away_us);
  AgentProcess* agent() { return agent_.get(); }
  // Never given out twice.
  uint64_t NextProcess() { return ++last_process_; }

  // Task folders are named by job and attempt.
  using FolderName = std::pair<uint64_t, int>;
  static FolderName FolderOf(const v1::Assignment& assignment) {
    return {assignment.job_id(), assignment.attempt()};
  }
  void WriteExit(const v1::Assignment& assignment, const ExitRecord& record);
  const ExitRecord* FindExit(const v1::Assignment& assignment) const;
  void MakeFolder(const v1::Assignment& assignment);
  void DropFolder(const FolderName& folder);
  std::vector<JournaledTask> FindTasks() const;

  ShimProcess* FindShim(uint64_t allocation);
  void StartShim(const v1::Assignment& assignment, absl::Duration lease_deadline);
  void ShimEnded(uint64_t allocation) { shims_.erase(allocation); }
  // Whether another supervisor has a lock of one of the assignment's devices.
  bool IsLocked(const v1::Assignment& assignment) const;
  // Whether processes of any task are on one of the assignment's devices.
  bool IsInUse(const v1::Assignment& assignment) const;
  void MakeGroup(uint64_t allocation) { groups_.insert(allocation); }
  bool HasGroup(uint64_t allocation) const { return groups_.contains(allocation); }
  // Kills what is in it; without processes it is gone. Returns: whether it is.
  bool ReleaseGroup(uint64_t allocation);
  const std::set<uint64_t>& groups() const { return groups_; }
  // The task's processes.
  void ProcessesBegin(const v1::Assignment& assignment);
  void ProcessesEnd(uint64_t allocation);
  void KillProcesses(uint64_t allocation);
  bool HasProcesses(uint64_t allocation) const { return processes_.contains(allocation); }

 private:
  void StartAgent();
  void LosePower();
  void Undying(uint64_t allocation);
  template <typename Accept>
  ShimProcess* PickShim(uint64_t pick, Accept accept);

  const Parts parts_;
  const int number_;
  const std::string name_;
  v1::NodeFacts facts_;

  int64_t undying_until_us_ = 0;
  std::optional<uint64_t> swap_;  // of a device, at the next boot
  uint64_t last_swap_ = 0;

  // On disk.
  JournalFile journal_;
  std::map<FolderName, JournaledTask> folders_;
  std::map<FolderName, ExitRecord> exits_;
  bool disk_full_ = false;

  // Until the next reboot.
  uint64_t boot_ = 0;
  bool is_up_ = false;
  bool is_off_ = false;  // until it is switched on
  SimClock clock_;
  int64_t stands_until_us_ = 0;
  std::map<uint64_t, std::unique_ptr<ShimProcess>> shims_;  // by allocation
  std::map<uint64_t, v1::Assignment> processes_;            // that run, by allocation
  std::set<uint64_t> dying_;                                // of them
  std::set<uint64_t> groups_;
  std::unique_ptr<AgentProcess> agent_;
  AgentCrash agent_crash_ = AgentCrash::kNone;
  uint64_t last_process_ = 0;
};

}  // namespace berth::sim

#endif  // BERTH_SIM_FAULTS_MACHINE_H_
