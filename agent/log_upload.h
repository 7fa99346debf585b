#ifndef BERTH_AGENT_LOG_UPLOAD_H_
#define BERTH_AGENT_LOG_UPLOAD_H_

// One log on its way to the scheduler, on a stream of its own that may be dropped at any time. Runs
// on gRPC's threads, never on the agent's; one chunk is in memory at a time.

#include <string>

#include "absl/status/statusor.h"

#include "agent/log_reader.h"
#include "proto/agent_api.grpc.pb.h"

namespace berth {

// Ends by itself: at the end of the log, or, when following, when the task has ended too. An error
// as `reader` is what its reader is told.
void StartLogUpload(v1::Agent::Stub& stub, const std::string& token, const v1::OpenLog& request,
                    absl::StatusOr<LogReader> reader);

}  // namespace berth

#endif  // BERTH_AGENT_LOG_UPLOAD_H_
