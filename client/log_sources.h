#ifndef BERTH_CLIENT_LOG_SOURCES_H_
#define BERTH_CLIENT_LOG_SOURCES_H_

// Several logs of a job, read in step, each across what happens to its node and to the scheduler.

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <utility>

#include "absl/time/time.h"

#include "client/api_client.h"
#include "client/follow.h"
#include "common/backoff.h"

namespace berth {

// Used from one thread. A log is known by the caller's number.
class LogSources {
 public:
  // As many as a token may read at a time.
  static constexpr size_t kLogsMax = 512;

  LogSources(ApiClient& api, const FollowLimits& limits)
      : limits_(limits), streams_(api.OpenLogs()) {}

  struct Event {
    LogEvent log;
    // So many bytes before the piece have left the log before they could be read.
    int64_t lost_bytes = 0;
  };

  // Begins to read; the first piece comes unasked. With `request.follow` a lost connection is made
  // again for `reconnect_for`, and the log goes on where it stopped.
  void Open(size_t log, const v1::StreamLogsRequest& request);
  // Asks for the next piece after one that came.
  void Want(size_t log) { streams_->Want(log); }
  // What comes next; nothing if it does not come before `deadline`. An end with an error is the
  // last of its log: what could be tried again was.
  std::optional<Event> Next(absl::Time deadline);

 private:
  struct Source {
    v1::StreamLogsRequest request;  // for the next stream
    bool has_offset = false;        // the next byte is that at request.offset_bytes
    absl::Time opened;
    absl::Time failing_since = absl::InfiniteFuture();
    Backoff backoff;
  };
  // Takes over what the event says of its log; nothing if the log is tried again.
  std::optional<Event> Accept(LogEvent event);
  bool TryAgain(size_t log, Source& source);

  const FollowLimits limits_;
  std::map<size_t, Source> sources_;
  std::set<std::pair<absl::Time, size_t>> retries_;
  std::unique_ptr<LogStreams> streams_;
};

}  // namespace berth

#endif  // BERTH_CLIENT_LOG_SOURCES_H_
