#ifndef BERTH_CLIENT_FOLLOW_H_
#define BERTH_CLIENT_FOLLOW_H_

// Staying with a job while it waits and runs, across restarts of the scheduler.

#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "client/api_client.h"
#include "client/command.h"

namespace berth {

struct FollowLimits {
  absl::Time deadline = absl::InfiniteFuture();      // the caller's --timeout
  absl::Duration reconnect_for = absl::Seconds(60);  // how long to look for a lost scheduler
};

// --timeout, where the command has one, is the deadline; the environment says how long to
// reconnect.
absl::StatusOr<FollowLimits> FollowLimitsOf(const Context& context);

struct WaitResult {
  v1::Job job;
  bool done = false;  // false: the deadline came first
};

// Waits until the job ended, started, or changed from `known_version`. After every answer that is
// no end of the wait, `see` gets the job (it may be empty). Unreachable errors mean that the
// scheduler stayed away.
absl::StatusOr<WaitResult> WaitForJob(ApiClient& api, v1::WaitJobRequest request,
                                      const FollowLimits& limits,
                                      const std::function<void(const v1::Job&)>& see);

// Hands the log to `write` as it comes. With `request.follow` a lost connection is made again and
// the log goes on where it stopped.
absl::Status CopyLog(ApiClient& api, v1::StreamLogsRequest request, const FollowLimits& limits,
                     const std::function<void(const std::string&)>& write);

}  // namespace berth

#endif  // BERTH_CLIENT_FOLLOW_H_
