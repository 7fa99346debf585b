#include "agent/core/reconcile.h"

#include <algorithm>

#include "agent/core/lifecycle.h"
#include "common/check.h"

namespace berth::agent {
namespace {

void ApplyCounters(NodeRecords& records, const JournalCounters& counters) {
  records.incarnation = std::max(records.incarnation, counters.incarnation());
  records.assign_seq_max = std::max(records.assign_seq_max, counters.assign_seq_max());
  records.sched_epoch_max = std::max(records.sched_epoch_max, counters.sched_epoch_max());
  records.report_seq_limit = std::max(records.report_seq_limit, counters.report_seq_limit());
  if (!counters.cluster_id().empty()) {
    records.cluster_id = counters.cluster_id();
  }
  if (counters.boot_id().empty() || counters.boot_id() == records.boot_id) {
    return;
  }
  // What was accepted before a boot cannot run after it.
  for (auto& [id, task] : records.tasks) {
    task.rebooted = task.rebooted || !records.boot_id.empty();
  }
  records.boot_id = counters.boot_id();
}

void ApplyReport(NodeRecords& records, const v1::Report& report) {
  records.reports[report.report_seq()] = report;
  const auto task = records.tasks.find(report.allocation_id());
  if (task != records.tasks.end() && IsLast(report.kind())) {
    MoveTask(task->second, StateAfter(report.kind()));
  }
}

void ApplyAcknowledgement(NodeRecords& records, const JournalAcknowledgement& acknowledgement) {
  for (const int64_t seq : acknowledgement.report_seqs()) {
    const auto report = records.reports.find(seq);
    if (report == records.reports.end()) {
      continue;
    }
    if (IsLast(report->second.kind())) {
      records.tasks.erase(report->second.allocation_id());
    }
    records.reports.erase(report);
  }
}

}  // namespace

bool NodeRecords::IsFenced(uint64_t allocation_id) const {
  return std::find(tombstones.begin(), tombstones.end(), allocation_id) != tombstones.end();
}

void MoveTask(TaskRow& task, v1::TaskState state) {
  BERTH_CHECK(CanFollow(task.state, state));
  task.state = state;
}

void Apply(NodeRecords& records, const JournalRecord& record) {
  switch (record.kind_case()) {
    case JournalRecord::kCounters:
      ApplyCounters(records, record.counters());
      return;
    case JournalRecord::kAcceptance: {
      const v1::Assignment& assignment = record.acceptance().assignment();
      records.assign_seq_max = std::max(records.assign_seq_max, assignment.assign_seq());
      records.tasks[assignment.allocation_id()] = {.assignment = assignment};
      return;
    }
    case JournalRecord::kTombstone:
      if (!records.IsFenced(record.tombstone().allocation_id())) {
        records.tombstones.push_back(record.tombstone().allocation_id());
      }
      if (records.tombstones.size() > NodeRecords::kTombstonesMax) {
        records.tombstones.pop_front();
      }
      return;
    case JournalRecord::kReport:
      ApplyReport(records, record.report());
      return;
    case JournalRecord::kAcknowledgement:
      ApplyAcknowledgement(records, record.acknowledgement());
      return;
    case JournalRecord::KIND_NOT_SET:
      return;
  }
}

std::vector<JournalRecord> Snapshot(const NodeRecords& records) {
  std::vector<JournalRecord> journal;
  // Tasks of an earlier boot come before the counters that name this one.
  for (const bool rebooted : {true, false}) {
    JournalCounters& counters = *journal.emplace_back().mutable_counters();
    counters.set_incarnation(records.incarnation);
    counters.set_boot_id(rebooted ? "-" : records.boot_id);
    counters.set_assign_seq_max(records.assign_seq_max);
    counters.set_sched_epoch_max(records.sched_epoch_max);
    counters.set_report_seq_limit(records.report_seq_limit);
    counters.set_cluster_id(records.cluster_id);
    for (const auto& [id, task] : records.tasks) {
      if (task.rebooted == rebooted) {
        *journal.emplace_back().mutable_acceptance()->mutable_assignment() = task.assignment;
      }
    }
  }
  for (const uint64_t allocation_id : records.tombstones) {
    journal.emplace_back().mutable_tombstone()->set_allocation_id(allocation_id);
  }
  for (const auto& [seq, report] : records.reports) {
    *journal.emplace_back().mutable_report() = report;
  }
  return journal;
}

JournalRecord NextIncarnation(const NodeRecords& records, absl::string_view boot_id) {
  JournalRecord record;
  record.mutable_counters()->set_incarnation(records.incarnation + 1);
  record.mutable_counters()->set_boot_id(std::string(boot_id));
  return record;
}

}  // namespace berth::agent
