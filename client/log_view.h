#ifndef BERTH_CLIENT_LOG_VIEW_H_
#define BERTH_CLIENT_LOG_VIEW_H_

// The logs of several ranks as one: their lines in the order of their times, and what several say
// alike once.

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"

#include "client/command.h"
#include "client/follow.h"
#include "client/line_pattern.h"

namespace berth {

struct LogQuery {
  v1::StreamLogsRequest request;     // of every rank
  std::vector<int32_t> ranks;        // rising; -1 alone: the one that the scheduler chooses
  bool with_ranks = false;           // for people, say who wrote what
  std::optional<LinePattern> lines;  // of these only
  bool is_raw = false;               // a terminal gets escapes, too
};

// Shows the lines to the end of the logs. A rank whose log cannot be read, or no further, is told
// on standard error, and the others go on. Returns the exit code.
absl::StatusOr<int> ShowLogLines(Context& context, const LogQuery& query,
                                 const FollowLimits& limits);

// Writes the first rank's log as the job wrote it; to a terminal what is safe there.
absl::Status ShowLogBytes(Context& context, const LogQuery& query, const FollowLimits& limits);

// Says that bytes have left a log before they could be read.
void TellLostBytes(Context& context, int32_t rank, int64_t bytes);

}  // namespace berth

#endif  // BERTH_CLIENT_LOG_VIEW_H_
