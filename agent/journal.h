#ifndef BERTH_AGENT_JOURNAL_H_
#define BERTH_AGENT_JOURNAL_H_

// The append-only, fsynced record of what the agent has accepted. One file, DATA_DIR/journal;
// records are length, CRC-32 of kind and payload, kind, payload. Owned by the Agent;
// one thread at a time.

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "agent/core/journal_record.h"

namespace berth {

class Journal {
 public:
  // Reads what is there into `state`. A torn last record, as a crash leaves it, is cut off; damage
  // before the end is refused. FailedPrecondition if another agent has it.
  static absl::StatusOr<std::unique_ptr<Journal>> Open(absl::string_view data_dir,
                                                       AgentState& state);
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;
  ~Journal();

  // Open found no record, or had to cut off an end: what was written there is lost.
  bool records_lost() const { return records_lost_; }

  // With `sync`: on disk when it returns OK.
  absl::Status Append(const std::vector<JournalRecord>& records, bool sync);
  // It has grown past its bound, and should be compacted.
  bool IsLarge() const;
  // Replaces the file by one that says just `state`.
  absl::Status Compact(const AgentState& state);

 private:
  Journal(std::string path, int lock, int folder)
      : path_(std::move(path)), lock_(lock), folder_(folder) {}
  absl::Status Read(AgentState& state);

  std::string path_;
  int lock_;
  int folder_;
  int file_ = -1;
  int64_t size_ = 0;
  bool records_lost_ = false;
};

}  // namespace berth

#endif  // BERTH_AGENT_JOURNAL_H_
