#ifndef BERTH_SCHEDULER_RPC_AGENT_SERVICE_H_
#define BERTH_SCHEDULER_RPC_AGENT_SERVICE_H_

// The API for agents: sessions, uploads of logs that somebody reads, ways into jobs, and folders.

#include <functional>
#include <memory>
#include <set>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"

#include "proto/agent_api.grpc.pb.h"
#include "scheduler/rpc/agent_session.h"
#include "scheduler/rpc/call.h"
#include "scheduler/rpc/channel_relay.h"
#include "scheduler/rpc/upload_desk.h"

namespace berth {

// Owned by the Server. Requires: what is handed over outlives it.
class AgentService final : public v1::Agent::CallbackService {
 public:
  AgentService(const CallRouter& router, LogRelay& relay, ChannelRelay& channels,
               UploadDesk& uploads, SampleBoard& samples)
      : router_(router), relay_(relay), channels_(channels), uploads_(uploads), samples_(samples) {}

  grpc::ServerBidiReactor<v1::AgentMessage, v1::SchedulerMessage>* Session(
      grpc::CallbackServerContext* context) override ABSL_LOCKS_EXCLUDED(mu_);
  grpc::ServerReadReactor<v1::LogChunk>* LogUpload(grpc::CallbackServerContext* context,
                                                   v1::LogUploadResponse* response) override;
  grpc::ServerBidiReactor<v1::ChannelOutput, v1::ChannelInput>* Channel(
      grpc::CallbackServerContext* context) override;
  grpc::ServerWriteReactor<v1::FetchWorkdirResponse>* FetchWorkdir(
      grpc::CallbackServerContext* context, const v1::FetchWorkdirRequest* request) override;

  // Asks a node's agent for a log. Unavailable: it is not connected.
  absl::Status OpenLog(NodeId node, const v1::OpenLog& message) ABSL_LOCKS_EXCLUDED(mu_);
  // Asks a node's agent to dial back for a way into a job. As OpenLog.
  absl::Status OpenChannel(NodeId node, const v1::OpenChannel& message) ABSL_LOCKS_EXCLUDED(mu_);
  // Ends every session whose token `check` refuses, with its answer.
  void CloseRefused(const std::function<absl::Status(absl::string_view token_id)>& check)
      ABSL_LOCKS_EXCLUDED(mu_);
  // Ends all sessions, and those that come later at once.
  void Stop() ABSL_LOCKS_EXCLUDED(mu_);

 private:
  absl::StatusOr<std::shared_ptr<AgentSession>> FindOpen(NodeId node) ABSL_LOCKS_EXCLUDED(mu_);

  const CallRouter& router_;
  LogRelay& relay_;
  ChannelRelay& channels_;
  UploadDesk& uploads_;
  SampleBoard& samples_;

  absl::Mutex mu_;
  std::set<std::shared_ptr<AgentSession>> sessions_ ABSL_GUARDED_BY(mu_);
  bool stopped_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace berth

#endif  // BERTH_SCHEDULER_RPC_AGENT_SERVICE_H_
