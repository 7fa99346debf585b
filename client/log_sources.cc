#include "client/log_sources.h"

#include <algorithm>

#include "absl/time/clock.h"

#include "client/unreachable.h"

namespace berth {
namespace {

constexpr absl::Duration kRetryFirst = absl::Milliseconds(100);
constexpr absl::Duration kRetryMost = absl::Seconds(1);
// No try to connect takes so long: a stream that lasted longer had been connected.
constexpr absl::Duration kStreamWasUp = absl::Seconds(30);

}  // namespace

void LogSources::Open(size_t log, const v1::StreamLogsRequest& request) {
  const auto seed = static_cast<uint64_t>(absl::GetCurrentTimeNanos()) + log;
  sources_.insert_or_assign(
      log, Source{.request = request,
                  .has_offset = request.tail_lines() == -1 && request.since_us() == 0,
                  .opened = absl::Now(),
                  .backoff = Backoff(kRetryFirst, kRetryMost, seed)});
  streams_->Open(log, request);
}

std::optional<LogSources::Event> LogSources::Next(absl::Time deadline) {
  while (true) {
    const absl::Time now = absl::Now();
    while (!retries_.empty() && retries_.begin()->first <= now) {
      const size_t log = retries_.begin()->second;
      retries_.erase(retries_.begin());
      Source& source = sources_.at(log);
      source.opened = now;
      streams_->Open(log, source.request);
    }
    const absl::Time retry = retries_.empty() ? deadline : retries_.begin()->first;
    std::optional<LogEvent> event = streams_->Next(std::min(deadline, retry));
    if (!event.has_value()) {
      if (absl::Now() >= deadline) {
        return std::nullopt;
      }
      continue;
    }
    if (std::optional<Event> accepted = Accept(*std::move(event)); accepted.has_value()) {
      return accepted;
    }
  }
}

std::optional<LogSources::Event> LogSources::Accept(LogEvent event) {
  Source& source = sources_.at(event.log);
  if (event.ended) {
    const bool again = source.request.follow() && IsUnreachable(event.status);
    if (again && TryAgain(event.log, source)) {
      return std::nullopt;
    }
    sources_.erase(event.log);
    return Event{.log = std::move(event)};
  }
  const v1::StreamLogsResponse& piece = event.piece;
  const int64_t lost =
      source.has_offset ? std::max<int64_t>(piece.offset_bytes() - source.request.offset_bytes(), 0)
                        : 0;
  // From here on a new stream continues behind this piece.
  source.has_offset = true;
  source.request.set_rank(piece.rank());
  source.request.set_tail_lines(-1);
  source.request.set_since_us(0);
  source.request.set_offset_bytes(piece.offset_bytes() + static_cast<int64_t>(piece.data().size()));
  source.failing_since = absl::InfiniteFuture();
  source.backoff.Reset();
  return Event{.log = std::move(event), .lost_bytes = lost};
}

bool LogSources::TryAgain(size_t log, Source& source) {
  const absl::Time now = absl::Now();
  source.failing_since =
      now - source.opened > kStreamWasUp ? now : std::min(source.failing_since, now);
  const absl::Duration wait = source.backoff.Next();
  if (now + wait - source.failing_since > limits_.reconnect_for) {
    return false;
  }
  retries_.emplace(now + wait, log);
  return true;
}

}  // namespace berth
