#ifndef BERTH_CLIENT_LOG_MERGE_H_
#define BERTH_CLIENT_LOG_MERGE_H_

// The lines of several logs in the order of their times. Pure: time is an argument.

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "absl/time/time.h"

#include "client/log_lines.h"

namespace berth {

// The lines of one log keep their order, whatever their times say.
class LogMerge {
 public:
  // A log that brings nothing for `patience` holds the others back no longer, until it brings
  // something again: then its lines may come behind later ones. InfiniteDuration: all are waited
  // for, and the order is exact.
  LogMerge(size_t logs, absl::Duration patience, absl::Time now);

  void Add(size_t log, std::deque<LogLine> lines, absl::Time now);
  // The log has passed this time without a line to show.
  void Pass(size_t log, int64_t at_us, absl::Time now);
  // The log has no more lines than it has brought.
  void End(size_t log);
  // The next line, unless an earlier one may still come.
  std::optional<LogLine> Take(absl::Time now);
  // When Take may have more although nothing was brought: InfiniteFuture if never.
  absl::Time NextTime() const;
  // It has no line here, and may bring some.
  bool IsAwaited(size_t log) const { return logs_[log].lines.empty() && !logs_[log].ended; }

 private:
  struct Log {
    std::deque<LogLine> lines;
    int64_t last_us = 0;  // of the last line that it brought
    absl::Time waits_since;
    bool ended = false;
  };
  void Await(size_t log, absl::Time now);
  void Release(size_t log);

  const absl::Duration patience_;
  std::vector<Log> logs_;
  std::set<std::pair<int64_t, size_t>> heads_;    // each log's next line: its time
  std::set<std::pair<int64_t, size_t>> awaited_;  // who holds others back: no line before this time
  std::set<std::pair<absl::Time, size_t>> waits_;  // the same, and since when
};

}  // namespace berth

#endif  // BERTH_CLIENT_LOG_MERGE_H_
