#ifndef BERTH_SCHEDULER_RPC_ENTER_STREAM_H_
#define BERTH_SCHEDULER_RPC_ENTER_STREAM_H_

// The two calls of a channel: a client's EnterJob, and the Channel call that the node's agent makes
// when it is asked to.

#include <functional>

#include <grpcpp/grpcpp.h>

#include "proto/channel.pb.h"
#include "scheduler/rpc/call.h"
#include "scheduler/rpc/channel_relay.h"

namespace berth {

// How jobs are entered. Both outlive every call.
struct JobEntry {
  ChannelRelay* relay = nullptr;
  // Asks a node's agent to dial back. Unavailable: it is not connected. From any thread.
  std::function<absl::Status(NodeId, const v1::OpenChannel&)> open;
};

// The reactors delete themselves.
grpc::ServerBidiReactor<v1::ChannelInput, v1::ChannelOutput>* StartEnterStream(
    grpc::CallbackServerContext* context, const CallRouter& router, const JobEntry& entry);
grpc::ServerBidiReactor<v1::ChannelOutput, v1::ChannelInput>* StartAgentChannel(
    grpc::CallbackServerContext* context, const CallRouter& router, ChannelRelay& relay);

}  // namespace berth

#endif  // BERTH_SCHEDULER_RPC_ENTER_STREAM_H_
