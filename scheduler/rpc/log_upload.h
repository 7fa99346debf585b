#ifndef BERTH_SCHEDULER_RPC_LOG_UPLOAD_H_
#define BERTH_SCHEDULER_RPC_LOG_UPLOAD_H_

// One agent's LogUpload call: the writing end of a pipe.

#include <grpcpp/grpcpp.h>

#include "proto/agent_api.pb.h"
#include "scheduler/core/identity.h"
#include "scheduler/rpc/log_relay.h"

namespace berth {

// Returns the reactor of the call; it deletes itself. Requires: `relay` outlives it.
grpc::ServerReadReactor<v1::LogChunk>* StartLogUpload(grpc::CallbackServerContext* context,
                                                      const Actor& actor, LogRelay& relay);

}  // namespace berth

#endif  // BERTH_SCHEDULER_RPC_LOG_UPLOAD_H_
