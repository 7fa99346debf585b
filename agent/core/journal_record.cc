#include "agent/core/journal_record.h"

#include <algorithm>

namespace berth {
namespace {

void Apply(const AssignmentAccepted& record, AgentState& state) {
  state.assign_seq_max = std::max<int64_t>(state.assign_seq_max, record.assignment.assign_seq());
  state.tasks[record.assignment.allocation_id()].assignment = record.assignment;
}

void Apply(const RendezvousReserved& record, AgentState& state) {
  const auto task = state.tasks.find(record.allocation_id);
  if (task != state.tasks.end()) {
    task->second.rendezvous_port = record.port;
  }
}

void Apply(const TombstoneSet& record, AgentState& state) {
  state.tombstones.insert(record.allocation_id);
}

void Apply(const TaskForgotten& record, AgentState& state) {
  state.tasks.erase(record.allocation_id);
  state.tombstones.erase(record.allocation_id);
}

void Apply(const EpochSeen& record, AgentState& state) {
  state.sched_epoch_max = std::max(state.sched_epoch_max, record.sched_epoch);
}

void Apply(const AgentStarted& record, AgentState& state) {
  state.incarnation = record.incarnation;
  state.boot_id = record.boot_id;
}

void Apply(const AssignSeqSeen& record, AgentState& state) {
  state.assign_seq_max = std::max(state.assign_seq_max, record.assign_seq);
}

void Apply(const RecordsLost& record, AgentState& state) {
  state.whole_since = record.incarnation;
}

}  // namespace

void ApplyRecord(const JournalRecord& record, AgentState& state) {
  std::visit([&state](const auto& kind) { Apply(kind, state); }, record);
}

uint64_t NewIncarnation(absl::Time now) {
  constexpr absl::Time kBegin = absl::FromUnixSeconds(1577836800);  // 2020-01-01
  constexpr int64_t kPerSecond = 1024;
  return static_cast<uint64_t>(
      std::max<int64_t>(absl::ToInt64Microseconds(now - kBegin) * kPerSecond / 1'000'000, 1));
}

void BeginLife(uint64_t new_incarnation, bool records_lost, const std::vector<JournaledTask>& found,
               AgentState& state) {
  state.incarnation = state.incarnation == 0 ? new_incarnation : state.incarnation + 1;
  if (!records_lost) {
    return;
  }
  Apply(RecordsLost{state.incarnation}, state);
  for (const JournaledTask& task : found) {
    const uint64_t id = task.assignment.allocation_id();
    if (!state.tasks.contains(id)) {
      Apply(AssignmentAccepted{task.assignment}, state);
      state.tasks[id].rendezvous_port = task.rendezvous_port;
    }
  }
}

}  // namespace berth
