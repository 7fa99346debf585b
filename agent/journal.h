#ifndef BERTH_AGENT_JOURNAL_H_
#define BERTH_AGENT_JOURNAL_H_

// The agent's memory on disk: an append-only file of checksummed records. A record that a crash
// tore at the end is cut off; damage before the end is refused. Owned by the agent; main thread.

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "agent/core/journal_record.pb.h"

namespace berth::agent {

class Journal {
 public:
  // A journal larger than this, and than four times what a fresh one would be, asks to be
  // rewritten.
  static constexpr int64_t kRewriteBytesMin = int64_t{1} << 20;

  // Opens or creates it, and hands every record to `read`, oldest first.
  static absl::StatusOr<std::unique_ptr<Journal>> Open(
      const std::string& path, const std::function<void(const JournalRecord&)>& read);
  ~Journal();
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;

  // One write for all; with `sync` they are durable when it returns. After an error the file is of
  // unknown length: the process must end.
  absl::Status Append(const std::vector<JournalRecord>& records, bool sync);

  // Replaces everything by `records`, durably and at once.
  absl::Status Rewrite(const std::vector<JournalRecord>& records);
  bool WantsRewrite() const;

 private:
  Journal(std::string path, int file, int64_t bytes)
      : path_(std::move(path)), file_(file), bytes_(bytes), fresh_bytes_(bytes) {}

  const std::string path_;
  int file_;
  int64_t bytes_;
  int64_t fresh_bytes_;  // after the last rewrite
};

}  // namespace berth::agent

#endif  // BERTH_AGENT_JOURNAL_H_
