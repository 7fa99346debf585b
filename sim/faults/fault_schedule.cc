#include "sim/faults/fault_schedule.h"

#include <algorithm>

namespace berth::sim {
namespace {

constexpr int64_t kShort = 20 * kSecond;
// More than the time after which a node is lost.
constexpr int64_t kLong = 120 * kSecond;
constexpr int kKindsMost = 5;
constexpr int kFaultsMost = 14;

}  // namespace

void FaultSchedule::Begin(int64_t until_us) {
  until_us_ = until_us;
  Timeline& timeline = parts_.timeline;
  std::vector<Fault> kinds;
  for (int64_t left = timeline.Between(0, kKindsMost); left > 0; --left) {
    kinds.push_back(static_cast<Fault>(timeline.Between(0, kFaults - 1)));
  }
  if (kinds.empty()) {
    return;
  }
  for (int64_t left = timeline.Between(1, kFaultsMost); left > 0; --left) {
    const auto kind =
        static_cast<size_t>(timeline.Between(0, static_cast<int64_t>(kinds.size()) - 1));
    timeline.At(timeline.Between(kSecond, until_us - 1),
                [this, fault = kinds[kind]] { Do(fault); });
  }
  if (std::count(kinds.begin(), kinds.end(), Fault::kRestore) > 0) {
    timeline.At(timeline.Between(kSecond, until_us / 2), [this] {
      if (parts_.scheduler.is_up()) {
        parts_.timeline.Note("the operator makes a backup");
        parts_.disk.Backup();
        parts_.observer.OnBackup();
      }
    });
  }
}

void FaultSchedule::Stop() {
  parts_.timeline.Note("the faults stop");
  parts_.network.Heal();
  parts_.scheduler.SetDiskFull(false);
  parts_.scheduler.ClearCrash();
  for (const auto& machine : parts_.machines) {
    machine->SetDiskFull(false);
    machine->TakeAgentCrash();
  }
  if (!parts_.scheduler.is_up()) {
    parts_.scheduler.Start();
  }
}

int FaultSchedule::PickNode() {
  return static_cast<int>(
      parts_.timeline.Between(0, static_cast<int64_t>(parts_.machines.size()) - 1));
}

void FaultSchedule::Do(Fault fault) {
  parts_.timeline.Note("fault %d", static_cast<uint64_t>(fault));
  if (fault <= Fault::kSlow || fault == Fault::kMassLoss) {
    DoToNetwork(fault);
  } else if (fault <= Fault::kNodeDiskFull) {
    DoToNode(fault);
  } else if (fault <= Fault::kWallStep) {
    DoToScheduler(fault);
  } else if (fault <= Fault::kStorm) {
    DoToCenter(fault);
  } else {
    DoByOperator(fault);
  }
}

void FaultSchedule::DoToNetwork(Fault fault) {
  Timeline& timeline = parts_.timeline;
  const int node = PickNode();
  const int64_t most = fault == Fault::kCut ? kShort : kLong;
  const int64_t until_us = timeline.now_us() + timeline.Between(kSecond, most);
  switch (fault) {
    case Fault::kCut:
    case Fault::kLongCut: {
      const int64_t ways = timeline.Between(0, 2);
      if (ways != 1) {
        parts_.network.Cut(node, Network::kUp, until_us);
      }
      if (ways != 0) {
        parts_.network.Cut(node, Network::kDown, until_us);
      }
      return;
    }
    case Fault::kMassLoss:
      for (size_t each = 0; each < parts_.machines.size(); ++each) {
        parts_.network.Cut(static_cast<int>(each), Network::kUp, until_us);
      }
      return;
    case Fault::kReset:
      parts_.network.Reset(node);
      return;
    default:
      parts_.network.SetDelay(node, timeline.Between(kSecond, kShort));
      return;
  }
}

void FaultSchedule::DoToNode(Fault fault) {
  Timeline& timeline = parts_.timeline;
  const int node = PickNode();
  Machine& machine = *parts_.machines[static_cast<size_t>(node)];
  const auto pick = static_cast<uint64_t>(timeline.Between(0, 1000));
  switch (fault) {
    case Fault::kAgentCrash:
      machine.KillAgent(timeline.Between(0, timeline.Once(4) ? kLong : kShort));
      return;
    case Fault::kAgentCrashInside:
      machine.CrashAgentAt(static_cast<AgentCrash>(timeline.Between(1, 3)));
      return;
    case Fault::kAgentPause:
      machine.PauseAgent(timeline.Between(kSecond, kLong));
      return;
    case Fault::kShimKill:
      machine.KillShim(pick);
      return;
    case Fault::kInitKill:
      machine.KillInit(pick);
      return;
    case Fault::kReboot:
      machine.Reboot();
      return;
    case Fault::kStandStill:
      machine.StandStill(timeline.Between(kSecond, kLong));
      return;
    default:
      machine.SetDiskFull(true);
      timeline.After(timeline.Between(kSecond, timeline.Once(3) ? kLong : kShort),
                     [&machine] { machine.SetDiskFull(false); });
      if (timeline.Once(2)) {
        // So that the agent cannot write down the epoch of the next life; and what happens before
        // it hears of that is told with the answer that brings it.
        parts_.scheduler.CrashAt(CrashPoint::kAfterCommit, timeline.Between(0, 5 * kSecond));
        parts_.network.SetDelay(node, timeline.Between(kSecond, kShort));
      }
      return;
  }
}

void FaultSchedule::DoToScheduler(Fault fault) {
  Timeline& timeline = parts_.timeline;
  SchedulerHost& scheduler = parts_.scheduler;
  const int64_t away_us = timeline.Between(100 * kMillisecond, timeline.Once(4) ? kLong : kShort);
  switch (fault) {
    case Fault::kSchedulerCrash:
      scheduler.Crash(away_us);
      return;
    case Fault::kSchedulerCrashInside:
      scheduler.CrashAt(timeline.Once(2) ? CrashPoint::kBeforeCommit : CrashPoint::kAfterCommit,
                        away_us);
      return;
    case Fault::kSchedulerPause:
      scheduler.Pause(timeline.now_us() + away_us);
      return;
    case Fault::kSchedulerDiskFull:
      scheduler.SetDiskFull(true);
      timeline.After(away_us, [&scheduler] { scheduler.SetDiskFull(false); });
      return;
    case Fault::kRestore:
      if (parts_.disk.HasBackup()) {
        scheduler.Crash(away_us);
        timeline.Note("the operator restores the backup");
        parts_.disk.Restore();
        parts_.observer.OnRestore();
      }
      return;
    default:
      scheduler.StepWallClock(absl::Microseconds(timeline.Between(-kLong, kLong)));
      scheduler.Crash(away_us);
      return;
  }
}

void FaultSchedule::DoToCenter(Fault fault) {
  switch (fault) {
    case Fault::kQuotaEdit:
      parts_.users.EditQuota();
      return;
    case Fault::kDrain:
      parts_.users.DrainSomeNode();
      return;
    case Fault::kRequeue:
      parts_.users.RequeueSomeJob();
      return;
    default:
      parts_.users.SubmitStorm();
      return;
  }
}

void FaultSchedule::DoByOperator(Fault fault) {
  Timeline& timeline = parts_.timeline;
  const int node = PickNode();
  Machine& machine = *parts_.machines[static_cast<size_t>(node)];
  switch (fault) {
    case Fault::kUndying:
      machine.KeepAlive(timeline.now_us() + timeline.Between(kShort, kLong));
      return;
    case Fault::kDeviceSwap:
      machine.SwapDevice(static_cast<uint64_t>(timeline.Between(0, 10)));
      return;
    case Fault::kNodeFault:
      if (timeline.Once(2)) {
        machine.PauseAgent(timeline.Between(kShort, 2 * kShort));
      }
      machine.FindFault();
      return;
    case Fault::kJournalLoss:
      machine.LoseJournal(static_cast<Machine::Loss>(timeline.Between(0, 2)),
                          timeline.Between(0, timeline.Once(4) ? kLong : kShort));
      return;
    case Fault::kPowerCut:
      if (machine.is_off()) {
        return;
      }
      // It is switched on when everybody knows.
      machine.SwitchOff();
      parts_.users.ConfirmDead(node, [&machine] { machine.SwitchOn(); });
      return;
    case Fault::kOutage:
      if (!machine.is_off()) {
        machine.SwitchOff();
        timeline.After(timeline.Between(kShort, kLong), [&machine] { machine.SwitchOn(); });
      }
      return;
    default:
      parts_.users.EndHold();
      return;
  }
}

}  // namespace berth::sim
