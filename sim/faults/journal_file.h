#ifndef BERTH_SIM_FAULTS_JOURNAL_FILE_H_
#define BERTH_SIM_FAULTS_JOURNAL_FILE_H_

// An agent's journal on a disk that keeps what was forced to it, and after a power cut perhaps some
// of the rest. A value.

#include <cstddef>
#include <vector>

#include "agent/core/journal_record.h"

namespace berth::sim {

class JournalFile {
 public:
  void Append(const std::vector<JournalRecord>& records, bool sync) {
    tail_.insert(tail_.end(), records.begin(), records.end());
    if (sync) {
      LoseTail(tail_.size());
    }
  }
  void Compact(const AgentState& state) {
    synced_ = state;
    tail_.clear();
  }
  AgentState Read() const {
    AgentState state = synced_;
    for (const JournalRecord& record : tail_) {
      ApplyRecord(record, state);
    }
    return state;
  }
  size_t tail_size() const { return tail_.size(); }
  // A power cut: of what was not forced to the disk, the first `kept` records are there.
  void LoseTail(size_t kept) {
    for (size_t i = 0; i < kept; ++i) {
      ApplyRecord(tail_[i], synced_);
    }
    tail_.clear();
  }

 private:
  AgentState synced_;
  std::vector<JournalRecord> tail_;
};

}  // namespace berth::sim

#endif  // BERTH_SIM_FAULTS_JOURNAL_FILE_H_
