#include "client/follow.h"

#include <algorithm>

#include "absl/time/clock.h"

#include "client/option.h"
#include "client/unreachable.h"
#include "common/backoff.h"
#include "common/status_macros.h"

namespace berth {
namespace {

// The server holds a wait for so long; short enough that a silent connection is noticed.
constexpr absl::Duration kWaitSlice = absl::Seconds(20);
constexpr absl::Duration kAnswerSlack = absl::Seconds(10);
// No try to connect takes so long: a stream that lasted longer had been connected.
constexpr absl::Duration kStreamWasUp = absl::Seconds(30);

// Decides how long a scheduler that went away is looked for.
class Reconnector {
 public:
  Reconnector(ApiClient& api, const FollowLimits& limits)
      : api_(api),
        limits_(limits),
        backoff_(absl::Milliseconds(100), absl::Seconds(1),
                 static_cast<uint64_t>(absl::GetCurrentTimeNanos())) {}

  // The scheduler answered.
  void Reached() {
    failing_since_ = absl::InfiniteFuture();
    backoff_.Reset();
  }

  // After a failed try: pauses before the next one, or says that there shall be none.
  bool TryAgain() {
    const absl::Time now = absl::Now();
    failing_since_ = std::min(failing_since_, now);
    const absl::Duration wait = backoff_.Next();
    if (now >= limits_.deadline || now + wait - failing_since_ > limits_.reconnect_for) {
      return false;
    }
    api_.Pause(std::min(wait, limits_.deadline - now));
    return true;
  }

 private:
  ApiClient& api_;
  const FollowLimits& limits_;
  Backoff backoff_;
  absl::Time failing_since_ = absl::InfiniteFuture();
};

}  // namespace

absl::StatusOr<FollowLimits> FollowLimitsOf(const Context& context) {
  FollowLimits limits;
  ASSIGN_OR_RETURN(limits.reconnect_for, context.ReconnectFor());
  if (const OptionValue* const value = context.arguments.Find("timeout"); value != nullptr) {
    ASSIGN_OR_RETURN(const absl::Duration timeout, DurationOf(*value));
    limits.deadline = absl::Now() + timeout;
  }
  return limits;
}

absl::StatusOr<WaitResult> WaitForJob(ApiClient& api, v1::WaitJobRequest request,
                                      const FollowLimits& limits,
                                      const std::function<void(const v1::Job&)>& see) {
  WaitResult result;
  Reconnector reconnector(api, limits);
  while (true) {
    const absl::Duration left = limits.deadline - absl::Now();
    const absl::Duration slice = std::clamp(left, absl::Milliseconds(1), kWaitSlice);
    request.set_timeout_ms(static_cast<int32_t>(absl::ToInt64Milliseconds(slice)));
    const absl::Duration slack = std::clamp(left, absl::Seconds(1), kAnswerSlack);
    const auto response = api.WaitJob(request, Patience::OneTry(slice + slack));
    if (response.ok()) {
      reconnector.Reached();
      result.job = response->job();
      result.done = response->done();
    } else if (!IsUnreachable(response.status())) {
      return response.status();
    }
    if (result.done || absl::Now() >= limits.deadline) {
      return result;
    }
    if (!response.ok() && !reconnector.TryAgain() && absl::Now() < limits.deadline) {
      return response.status();
    }
    if (response.ok() && see) {
      see(result.job);
    }
  }
}

absl::Status CopyLog(ApiClient& api, v1::StreamLogsRequest request, const FollowLimits& limits,
                     const std::function<void(const std::string&)>& write) {
  Reconnector reconnector(api, limits);
  while (true) {
    const absl::Time opened = absl::Now();
    absl::Status status =
        api.StreamLogs(request, limits.deadline, [&](const v1::StreamLogsResponse& piece) {
          write(piece.data());
          reconnector.Reached();
          // From here on a new stream continues behind this piece.
          request.set_rank(piece.rank());
          request.set_tail_lines(-1);
          request.set_since_us(0);
          request.set_offset_bytes(piece.offset_bytes() +
                                   static_cast<int64_t>(piece.data().size()));
        });
    if (status.ok() || !IsUnreachable(status) || !request.follow()) {
      return status;
    }
    if (absl::Now() - opened > kStreamWasUp) {
      reconnector.Reached();
    }
    if (!reconnector.TryAgain()) {
      return status;
    }
  }
}

}  // namespace berth
