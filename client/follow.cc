#include "client/follow.h"

#include <algorithm>

#include "absl/time/clock.h"

#include "common/backoff.h"
#include "common/status_macros.h"

namespace berth {
namespace {

// The server holds a wait for so long; short enough that a silent connection is noticed.
constexpr absl::Duration kWaitSlice = absl::Seconds(20);
constexpr absl::Duration kAnswerSlack = absl::Seconds(10);
// A stream that lasted so long was a connection; its loss begins a new search.
constexpr absl::Duration kStreamWasUp = absl::Seconds(1);

}  // namespace

absl::StatusOr<WaitResult> WaitForJob(ApiClient& api, v1::WaitJobRequest request,
                                      const FollowLimits& limits,
                                      const std::function<void(const v1::Job&)>& see) {
  WaitResult result;
  while (true) {
    const absl::Duration left = limits.deadline - absl::Now();
    const absl::Duration slice = std::clamp(left, absl::Milliseconds(1), kWaitSlice);
    request.set_timeout_ms(static_cast<int32_t>(absl::ToInt64Milliseconds(slice)));
    const Patience patience{
        .attempt = slice + kAnswerSlack,
        .total = std::min(limits.reconnect_for + slice, std::max(left, absl::Seconds(1)))};
    const auto response = api.WaitJob(request, patience);
    const bool over = absl::Now() >= limits.deadline;
    if (!response.ok() && !(over && IsUnreachable(response.status()))) {
      return response.status();
    }
    if (response.ok()) {
      result.job = response->job();
      result.done = response->done();
    }
    if (result.done || over) {
      return result;
    }
    if (see) {
      see(result.job);
    }
  }
}

absl::Status CopyLog(ApiClient& api, v1::StreamLogsRequest request, const FollowLimits& limits,
                     const std::function<void(const std::string&)>& write) {
  Backoff backoff(absl::Milliseconds(100), absl::Seconds(1),
                  static_cast<uint64_t>(absl::GetCurrentTimeNanos()));
  absl::Time last_seen = absl::Now();
  while (true) {
    const absl::Time opened = absl::Now();
    const absl::Status status =
        api.StreamLogs(request, limits.deadline, [&](const v1::StreamLogsResponse& piece) {
          write(piece.data());
          last_seen = absl::Now();
          // From here on a new stream continues behind this piece.
          request.set_rank(piece.rank());
          request.set_tail_lines(-1);
          request.set_offset_bytes(piece.offset_bytes() +
                                   static_cast<int64_t>(piece.data().size()));
        });
    const absl::Time now = absl::Now();
    if (status.ok() || !IsUnreachable(status) || !request.follow() || now >= limits.deadline) {
      return status;
    }
    if (now - opened > kStreamWasUp) {
      last_seen = now;
      backoff.Reset();
    }
    const absl::Duration wait = backoff.Next();
    if (now + wait - last_seen > limits.reconnect_for) {
      return status;
    }
    absl::SleepFor(wait);
  }
}

}  // namespace berth
