#ifndef BERTH_SCHEDULER_RPC_UPLOAD_STREAM_H_
#define BERTH_SCHEDULER_RPC_UPLOAD_STREAM_H_

// The two calls that carry folders: a client's UploadWorkdir, and an agent's FetchWorkdir. Their
// bytes go between the call and the desk's thread, one piece at a time; the loop is asked once who
// may, and sees none of them.

#include <grpcpp/grpcpp.h>

#include "proto/agent_api.pb.h"
#include "proto/client_api.pb.h"
#include "scheduler/rpc/call.h"
#include "scheduler/rpc/upload_desk.h"

namespace berth {

// Each returns the reactor of the call; it deletes itself.
grpc::ServerBidiReactor<v1::UploadWorkdirRequest, v1::UploadWorkdirResponse>* StartUploadStream(
    grpc::CallbackServerContext* context, const CallRouter& router, UploadDesk& desk);
grpc::ServerWriteReactor<v1::FetchWorkdirResponse>* StartWorkdirStream(
    grpc::CallbackServerContext* context, const v1::FetchWorkdirRequest& request,
    const CallRouter& router, UploadDesk& desk);

}  // namespace berth

#endif  // BERTH_SCHEDULER_RPC_UPLOAD_STREAM_H_
