#ifndef BERTH_AGENT_CORE_RECONCILE_H_
#define BERTH_AGENT_CORE_RECONCILE_H_

// From the journal to what the node knows of its tasks, and back to the shortest journal that says
// the same.

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

#include "agent/core/journal_record.pb.h"
#include "proto/agent_api.pb.h"

namespace berth::agent {

struct TaskRow {
  v1::Assignment assignment;
  v1::TaskState state = v1::TASK_STATE_JOURNALED;
  bool rebooted = false;  // accepted in an earlier life of the machine
};

// Everything durable. A value; ordered, so that the same inputs give the same outputs.
struct NodeRecords {
  static constexpr size_t kTombstonesMax = 10000;

  uint64_t incarnation = 0;
  std::string boot_id;
  int64_t assign_seq_max = 0;
  uint64_t sched_epoch_max = 0;
  int64_t report_seq_limit = 1;
  std::string cluster_id;
  std::map<uint64_t, TaskRow> tasks;      // by allocation
  std::map<int64_t, v1::Report> reports;  // not acknowledged, by report_seq
  std::deque<uint64_t> tombstones;        // oldest first

  bool IsFenced(uint64_t allocation_id) const;
};

// The only place where a task's state changes. Requires: CanFollow(task.state, state).
void MoveTask(TaskRow& task, v1::TaskState state);

// One step of the journal. Apply() is the only function that changes the records, so that memory is
// always what a restart would read.
void Apply(NodeRecords& records, const JournalRecord& record);

// The records as a fresh journal.
std::vector<JournalRecord> Snapshot(const NodeRecords& records);

// The next life of the agent: what to write down at its start.
JournalRecord NextIncarnation(const NodeRecords& records, absl::string_view boot_id);

}  // namespace berth::agent

#endif  // BERTH_AGENT_CORE_RECONCILE_H_
