#ifndef BERTH_SCHEDULER_RPC_LOG_STREAM_H_
#define BERTH_SCHEDULER_RPC_LOG_STREAM_H_

// One reader's StreamLogs call: finds the log, asks the node's agent for it, and writes what comes
// through the pipe.

#include <functional>

#include <grpcpp/grpcpp.h>

#include "proto/agent_api.pb.h"
#include "proto/client_api.pb.h"
#include "scheduler/rpc/call.h"
#include "scheduler/rpc/log_relay.h"

namespace berth {

// Where logs come from. Both outlive every stream.
struct LogSource {
  LogRelay* relay = nullptr;
  // Asks a node's agent to open an upload. Unavailable: it is not connected. From any thread.
  std::function<absl::Status(NodeId, const v1::OpenLog&)> open;
};

// Returns the reactor of the call; it deletes itself.
grpc::ServerWriteReactor<v1::StreamLogsResponse>* StartLogStream(
    grpc::CallbackServerContext* context, const v1::StreamLogsRequest& request,
    const CallRouter& router, const LogSource& source);

}  // namespace berth

#endif  // BERTH_SCHEDULER_RPC_LOG_STREAM_H_
