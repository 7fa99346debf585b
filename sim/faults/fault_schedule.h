#ifndef BERTH_SIM_FAULTS_FAULT_SCHEDULE_H_
#define BERTH_SIM_FAULTS_FAULT_SCHEDULE_H_

// Which faults a seed suffers, and when. Every seed has its own few kinds, so that some see one
// fault many times and some see many at once. Owned by the World; one thread.

#include <cstdint>
#include <memory>
#include <vector>

#include "sim/faults/machine.h"
#include "sim/faults/network.h"
#include "sim/faults/scheduler_disk.h"
#include "sim/faults/scheduler_host.h"
#include "sim/faults/timeline.h"
#include "sim/faults/users.h"

namespace berth::sim {

enum class Fault {
  kCut,      // one way or both, for a while
  kLongCut,  // for longer than any lease
  kReset,    // of streams
  kSlow,     // messages take long
  kAgentCrash,
  kAgentCrashInside,  // around a journal record
  kAgentPause,        // SIGSTOP
  kShimKill,
  kInitKill,
  kReboot,
  kStandStill,  // of a whole machine, its clock with it
  kNodeDiskFull,
  kSchedulerCrash,
  kSchedulerCrashInside,  // around a commit
  kSchedulerPause,
  kSchedulerDiskFull,
  kRestore,  // of an older backup
  kWallStep,
  kMassLoss,
  kQuotaEdit,
  kDrain,
  kRequeue,
  kStorm,       // of submissions that preempt each other
  kUndying,     // what is killed hangs in the kernel
  kDeviceSwap,  // with a reboot
  kPowerCut,    // an operator pulls a plug, and says so
  kOutage,      // a node is off for a while, and nobody says so
  kEndHold,
  kNodeFault,  // an agent finds that its node is not to be trusted
  kJournalLoss,
};
constexpr int kFaults = static_cast<int>(Fault::kJournalLoss) + 1;

class FaultSchedule {
 public:
  struct Parts {
    Timeline& timeline;
    Observer& observer;
    Network& network;
    SchedulerDisk& disk;
    SchedulerHost& scheduler;
    Users& users;
    std::vector<std::unique_ptr<Machine>>& machines;
  };
  explicit FaultSchedule(const Parts& parts) : parts_(parts) {}
  FaultSchedule(const FaultSchedule&) = delete;
  FaultSchedule& operator=(const FaultSchedule&) = delete;

  // Puts this seed's faults on the timeline, all before `until_us`.
  void Begin(int64_t until_us);
  // Takes back what lasts. The scheduler runs afterwards.
  void Stop();

 private:
  void Do(Fault fault);
  void DoToNetwork(Fault fault);
  void DoToNode(Fault fault);
  void DoToScheduler(Fault fault);
  void DoToCenter(Fault fault);
  void DoByOperator(Fault fault);
  int PickNode();
  Machine& PickMachine() { return *parts_.machines[static_cast<size_t>(PickNode())]; }

  const Parts parts_;
  int64_t until_us_ = 0;
};

}  // namespace berth::sim

#endif  // BERTH_SIM_FAULTS_FAULT_SCHEDULE_H_
