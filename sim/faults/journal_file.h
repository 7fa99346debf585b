#ifndef BERTH_SIM_FAULTS_JOURNAL_FILE_H_
#define BERTH_SIM_FAULTS_JOURNAL_FILE_H_

// An agent's journal on a disk that keeps what was forced to it, and after a power cut perhaps some
// of the rest; a disk that is broken may lose its end, or all of it. A value.

#include <cstddef>
#include <vector>

#include "agent/core/journal_record.h"

namespace berth::sim {

class JournalFile {
 public:
  void Append(const std::vector<JournalRecord>& records, bool sync) {
    records_.insert(records_.end(), records.begin(), records.end());
    if (sync) {
      Sync();
    }
  }
  // What was appended so far is forced to the disk.
  void Sync() { synced_ = records_.size(); }
  void Compact(const AgentState& state) {
    *this = JournalFile();
    base_ = state;
    exists_ = true;
  }
  AgentState Read() const {
    AgentState state = base_;
    for (const JournalRecord& record : records_) {
      ApplyRecord(record, state);
    }
    return state;
  }
  // As Journal::records_lost.
  bool records_lost() const { return !exists_ || is_torn_; }
  size_t records() const { return records_.size(); }
  size_t tail_size() const { return records_.size() - synced_; }
  // A power cut: of what was not forced to the disk, the first `kept` records are there.
  void LoseTail(size_t kept) {
    records_.resize(synced_ + kept);
    synced_ = records_.size();
  }
  // The file ends inside the record that follows the first `kept`.
  void Tear(size_t kept) {
    records_.resize(kept);
    synced_ = kept;
    is_torn_ = true;
  }

 private:
  AgentState base_;
  std::vector<JournalRecord> records_;
  size_t synced_ = 0;
  bool exists_ = false;
  bool is_torn_ = false;
};

}  // namespace berth::sim

#endif  // BERTH_SIM_FAULTS_JOURNAL_FILE_H_
