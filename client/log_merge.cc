#include "client/log_merge.h"

#include <algorithm>

namespace berth {

LogMerge::LogMerge(size_t logs, absl::Duration patience, absl::Time now)
    : patience_(patience), logs_(logs) {
  for (size_t log = 0; log < logs; ++log) {
    Await(log, now);
  }
}

void LogMerge::Await(size_t log, absl::Time now) {
  Log& one = logs_[log];
  one.waits_since = now;
  awaited_.emplace(one.last_us, log);
  waits_.emplace(now, log);
}

void LogMerge::Release(size_t log) {
  awaited_.erase({logs_[log].last_us, log});
  waits_.erase({logs_[log].waits_since, log});
}

void LogMerge::Add(size_t log, std::deque<LogLine> lines, absl::Time now) {
  Log& one = logs_[log];
  if (lines.empty()) {
    return;
  }
  if (one.lines.empty()) {
    Release(log);
  } else {
    heads_.erase({one.lines.front().at_us, log});
  }
  for (LogLine& line : lines) {
    // A time that falls would let the line pass those before it.
    line.at_us = one.last_us = std::max(one.last_us, line.at_us);
    one.lines.push_back(std::move(line));
  }
  heads_.emplace(one.lines.front().at_us, log);
  one.waits_since = now;
}

void LogMerge::Pass(size_t log, int64_t at_us, absl::Time now) {
  Log& one = logs_[log];
  if (!IsAwaited(log)) {
    return;
  }
  Release(log);
  one.last_us = std::max(one.last_us, at_us);
  Await(log, now);
}

void LogMerge::End(size_t log) {
  Release(log);
  logs_[log].ended = true;
}

std::optional<LogLine> LogMerge::Take(absl::Time now) {
  while (!waits_.empty() && now - waits_.begin()->first >= patience_) {
    Release(waits_.begin()->second);
  }
  if (heads_.empty() || (!awaited_.empty() && awaited_.begin()->first < heads_.begin()->first)) {
    return std::nullopt;
  }
  const size_t log = heads_.begin()->second;
  heads_.erase(heads_.begin());
  Log& one = logs_[log];
  LogLine line = std::move(one.lines.front());
  one.lines.pop_front();
  if (!one.lines.empty()) {
    heads_.emplace(one.lines.front().at_us, log);
  } else if (!one.ended) {
    Await(log, now);
  }
  return line;
}

absl::Time LogMerge::NextTime() const {
  return heads_.empty() || waits_.empty() ? absl::InfiniteFuture()
                                          : waits_.begin()->first + patience_;
}

}  // namespace berth
