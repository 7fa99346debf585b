#ifndef BERTH_SCHEDULER_RPC_LOG_SEARCH_H_
#define BERTH_SCHEDULER_RPC_LOG_SEARCH_H_

// Which node has the log that a reader asks for.

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "proto/client_api.pb.h"
#include "scheduler/control_loop.h"

namespace berth {

struct LogNode {
  NodeId id;
  std::string name;
};

struct LogPlace {
  bool started = true;  // false: the attempt has not started; the rest is not set
  LogNode node = {};
  // If that node is away and the attempt is over: some that are there and read the center's
  // archive.
  std::vector<LogNode> readers = {};
  AllocationId allocation = AllocationId();
  int attempt = 0;
  int rank = 0;  // resolved
};

// Refuses an array: its tasks have logs and processes, each its own.
absl::Status CheckNoArray(const Job& job, absl::string_view code);

// NotFound if the caller may not know of the job, PermissionDenied if not of its log.
absl::StatusOr<LogPlace> FindLog(const ReadView& view, const Actor& actor,
                                 const v1::StreamLogsRequest& request);

}  // namespace berth

#endif  // BERTH_SCHEDULER_RPC_LOG_SEARCH_H_
