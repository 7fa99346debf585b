#include "sim/faults/machine.h"

#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"

#include "common/planted_bug.h"

namespace berth::sim {
namespace {

// How long a process takes to die: mostly a moment, within the kill timeout at the worst.
constexpr int64_t kDiesAtOnce = 50 * kMillisecond;
constexpr int64_t kDiesLate = 4 * kSecond;
constexpr int64_t kAgentStartsMost = 5 * kSecond;
constexpr int64_t kBootsMost = 90 * kSecond;

bool SharesDevice(const v1::Assignment& a, const v1::Assignment& b) {
  return std::any_of(a.devices().begin(), a.devices().end(), [&b](const auto& device) {
    return std::any_of(b.devices().begin(), b.devices().end(),
                       [&device](const auto& other) { return other.uuid() == device.uuid(); });
  });
}

}  // namespace

Machine::Machine(const Parts& parts, int number, int devices)
    : parts_(parts), number_(number), name_(absl::StrCat("n", number)) {
  facts_.set_hostname(name_);
  facts_.set_address(name_);
  facts_.mutable_capacity()->set_cpu_milli(64000);
  facts_.mutable_capacity()->set_memory_mib(256000);
  for (int index = 0; index < devices; ++index) {
    v1::Device& device = *facts_.add_devices();
    device.set_index(index);
    device.set_device_class("sim");
    device.set_uuid(absl::StrCat("SIM-", name_, "-", index));
    device.set_kind(v1::DEVICE_KIND_SIMULATED);
  }
}

void Machine::After(int64_t delay_us, std::function<void()> event) {
  timeline().After(delay_us, [this, boot = boot_, event = std::move(event)] {
    if (boot != boot_) {
      return;
    }
    if (stands_until_us_ > timeline().now_us()) {
      After(stands_until_us_ - timeline().now_us(), event);
      return;
    }
    event();
  });
}

std::string Machine::BootId() const {
  return absl::StrCat(name_, "-boot-", boot_);
}

// ---- What happens to it ----

void Machine::Boot() {
  ++boot_;
  is_up_ = true;
  timeline().Note("node %d boots", static_cast<uint64_t>(number_));
  clock_ = SimClock(timeline().now_us(), timeline().Between(-kRatePpmMax, kRatePpmMax));
  if (swap_.has_value()) {
    const auto index = static_cast<int>(*swap_ % static_cast<uint64_t>(facts_.devices_size()));
    facts_.mutable_devices(index)->set_uuid(
        absl::StrCat("SIM-", name_, "-", index, "-", ++last_swap_));
    swap_.reset();
  }
  StartAgent();
}

void Machine::StartAgent() {
  if (agent_ != nullptr) {
    return;
  }
  if (disk_full_) {
    // It cannot write that it has started; its service manager tries again.
    After(kAgentStartsMost, [this] { StartAgent(); });
    return;
  }
  timeline().Note("the agent of node %d starts", static_cast<uint64_t>(number_));
  agent_ = std::make_unique<AgentProcess>(*this, NextProcess());
  agent_->Begin();
}

void Machine::AgentDied(int64_t away_us) {
  if (agent_ == nullptr) {
    return;
  }
  timeline().Note("the agent of node %d dies", static_cast<uint64_t>(number_));
  coverage().Add(agent_->core().transitions());
  // It may be in the middle of something.
  timeline().After(0, [dead = std::shared_ptr<AgentProcess>(std::move(agent_))] {});
  network().Reset(number_);
  After(away_us, [this] { StartAgent(); });
}

void Machine::KillAgent(int64_t away_us) {
  AgentDied(away_us);
}

void Machine::LoseJournal(Loss loss, int64_t away_us) {
  AgentDied(away_us);
  timeline().Note("node %d loses its journal, or some of it: %d", static_cast<uint64_t>(number_),
                  static_cast<uint64_t>(loss));
  switch (loss) {
    case Loss::kEnd:
      if (const auto records = static_cast<int64_t>(journal_.records()); records > 0) {
        journal_.Tear(static_cast<size_t>(timeline().Between(0, records - 1)));
      }
      return;
    case Loss::kFolders:
      for (const auto& [name, task] : std::exchange(folders_, {})) {
        observer().OnExitLost(task.assignment.allocation_id());
      }
      exits_.clear();
      break;
    case Loss::kJournal:
      break;
  }
  journal_ = JournalFile();
}

void Machine::PauseAgent(int64_t duration_us) {
  if (agent_ != nullptr) {
    agent_->Pause(timeline().now_us() + duration_us);
  }
}

AgentCrash Machine::TakeAgentCrash() {
  return std::exchange(agent_crash_, AgentCrash::kNone);
}

void Machine::SwapDevice(uint64_t pick) {
  swap_ = pick;
  Reboot();
}

void Machine::SwitchOff() {
  if (is_up_) {
    LosePower();
  }
  is_off_ = true;
}

void Machine::FindFault() {
  if (agent_ != nullptr) {
    agent_->OnStuck(0);
  }
}

void Machine::SwitchOn() {
  is_off_ = false;
  if (!is_up_) {
    Boot();
  }
}

void Machine::Reboot() {
  if (!is_up_) {
    return;
  }
  LosePower();
  timeline().After(timeline().Between(kSecond, kBootsMost), [this] {
    if (!is_up_ && !is_off_) {
      Boot();
    }
  });
}

void Machine::LosePower() {
  timeline().Note("node %d loses its power", static_cast<uint64_t>(number_));
  is_up_ = false;
  AgentDied(0);
  ++boot_;
  shims_.clear();
  groups_.clear();
  dying_.clear();
  stands_until_us_ = 0;
  for (const auto& [id, assignment] : std::exchange(processes_, {})) {
    observer().OnGone(id);
  }
  journal_.LoseTail(
      static_cast<size_t>(timeline().Between(0, static_cast<int64_t>(journal_.tail_size()))));
}

void Machine::StandStill(int64_t duration_us) {
  if (!is_up_ || stands_until_us_ > timeline().now_us()) {
    return;
  }
  timeline().Note("node %d stands still", static_cast<uint64_t>(number_));
  stands_until_us_ = timeline().now_us() + duration_us;
  clock_.StandStill(duration_us);
  observer().OnStoodStill(number_);
}

template <typename Accept>
ShimProcess* Machine::PickShim(uint64_t pick, Accept accept) {
  std::vector<ShimProcess*> found;
  for (const auto& [id, shim] : shims_) {
    if (accept(*shim)) {
      found.push_back(shim.get());
    }
  }
  return found.empty() ? nullptr : found[pick % found.size()];
}

// The kernel kills its init, and with it all processes; its locks are free at once.
void Machine::KillShim(uint64_t pick) {
  const ShimProcess* shim = PickShim(pick, [](const ShimProcess&) { return true; });
  if (shim == nullptr) {
    return;
  }
  const v1::Assignment assignment = shim->assignment();
  timeline().Note("the shim of allocation %d is killed", assignment.allocation_id());
  shims_.erase(assignment.allocation_id());
  KillProcesses(assignment.allocation_id());
  if (agent_ != nullptr) {
    agent_->OnShimEnded(assignment);
  }
}

void Machine::KillInit(uint64_t pick) {
  ShimProcess* shim = PickShim(pick, [](const ShimProcess& one) { return one.has_init(); });
  if (shim != nullptr) {
    timeline().Note("the init of allocation %d is killed", shim->assignment().allocation_id());
    shim->InitKilled();
  }
}

void Machine::OnMessage(StreamId stream, const v1::SchedulerMessage& message) {
  if (agent_ != nullptr) {
    agent_->OnMessage(stream, message);
  }
}

void Machine::OnStreamEnded(StreamId stream) {
  if (agent_ != nullptr) {
    agent_->OnStreamEnded(stream);
  }
}

bool Machine::IsQuiet() const {
  return agent_ != nullptr && !agent_->core().HasTasks() && processes_.empty();
}

void Machine::AddCoverage() {
  if (agent_ != nullptr) {
    coverage().Add(agent_->core().transitions());
  }
}

// ---- Files ----

void Machine::WriteExit(const v1::Assignment& assignment, const ExitRecord& record) {
  if (disk_full_) {
    timeline().Note("the exit of allocation %d finds the disk full", assignment.allocation_id());
    return;
  }
  if (!folders_.contains(FolderOf(assignment))) {
    timeline().Note("allocation %d has no folder for its exit", assignment.allocation_id());
    return;
  }
  exits_[FolderOf(assignment)] = record;
  observer().OnExitRecord(assignment.allocation_id(), record);
}

const ExitRecord* Machine::FindExit(const v1::Assignment& assignment) const {
  const auto record = exits_.find(FolderOf(assignment));
  return record == exits_.end() ? nullptr : &record->second;
}

void Machine::MakeFolder(const v1::Assignment& assignment) {
  folders_[FolderOf(assignment)] = {assignment, kRendezvousPort};
}

void Machine::DropFolder(const FolderName& folder) {
  folders_.erase(folder);
  exits_.erase(folder);
}

std::vector<JournaledTask> Machine::FindTasks() const {
  std::vector<JournaledTask> tasks;
  for (const auto& [name, task] : folders_) {
    tasks.push_back(task);
  }
  return tasks;
}

// ---- Processes ----

ShimProcess* Machine::FindShim(uint64_t allocation) {
  const auto shim = shims_.find(allocation);
  return shim == shims_.end() ? nullptr : shim->second.get();
}

void Machine::StartShim(const v1::Assignment& assignment, absl::Duration lease_deadline) {
  auto& shim = shims_[assignment.allocation_id()];
  if (shim != nullptr) {
    // Another of the same task finds its locks held.
    agent_->OnShim(TaskRefused{assignment.allocation_id(), v1::REFUSAL_LOCK_HELD, "runs already"});
    return;
  }
  shim = std::make_unique<ShimProcess>(*this, assignment, lease_deadline);
  shim->Begin();
}

bool Machine::IsLocked(const v1::Assignment& assignment) const {
  return !Planted(PlantedBug::kNoDeviceLock) &&
         std::any_of(shims_.begin(), shims_.end(), [&assignment](const auto& entry) {
           return entry.second->has_locks() && SharesDevice(entry.second->assignment(), assignment);
         });
}

bool Machine::IsInUse(const v1::Assignment& assignment) const {
  return std::any_of(processes_.begin(), processes_.end(), [&assignment](const auto& entry) {
    return SharesDevice(entry.second, assignment);
  });
}

bool Machine::ReleaseGroup(uint64_t allocation) {
  if (HasProcesses(allocation)) {
    KillProcesses(allocation);
    return false;
  }
  groups_.erase(allocation);
  return true;
}

void Machine::ProcessesBegin(const v1::Assignment& assignment) {
  processes_[assignment.allocation_id()] = assignment;
  observer().OnStarted(number_, assignment);
}

void Machine::ProcessesEnd(uint64_t allocation) {
  if (processes_.erase(allocation) == 0) {
    return;
  }
  dying_.erase(allocation);
  observer().OnGone(allocation);
  if (ShimProcess* shim = FindShim(allocation); shim != nullptr) {
    shim->ProcessesGone();
  }
}

void Machine::KillProcesses(uint64_t allocation) {
  if (!processes_.contains(allocation) || !dying_.insert(allocation).second) {
    return;
  }
  if (undying_until_us_ > timeline().now_us()) {
    Undying(allocation);
    return;
  }
  const int64_t takes_us = timeline().Between(100, timeline().Once(8) ? kDiesLate : kDiesAtOnce);
  After(takes_us, [this, allocation] { ProcessesEnd(allocation); });
}

// They hang in the kernel.
void Machine::Undying(uint64_t allocation) {
  timeline().Note("allocation %d does not die", allocation);
  observer().OnUndying(allocation);
  After(kStuckAfter, [this, allocation] {
    if (ShimProcess* shim = FindShim(allocation); shim != nullptr && HasProcesses(allocation)) {
      shim->ProcessesStay();
    }
  });
  After(timeline().Between(2 * kStuckAfter, 15 * kStuckAfter),
        [this, allocation] { ProcessesEnd(allocation); });
}

}  // namespace berth::sim
