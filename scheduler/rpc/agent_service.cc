#include "scheduler/rpc/agent_service.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

#include "common/grpc_status.h"
#include "common/status_macros.h"
#include "scheduler/rpc/enter_stream.h"
#include "scheduler/rpc/log_upload.h"
#include "scheduler/rpc/upload_stream.h"

namespace berth {
namespace {

class RefusedSession final
    : public grpc::ServerBidiReactor<v1::AgentMessage, v1::SchedulerMessage> {
 public:
  explicit RefusedSession(const grpc::Status& status) { Finish(status); }
  void OnDone() override { delete this; }
};

class RefusedUpload final : public grpc::ServerReadReactor<v1::LogChunk> {
 public:
  explicit RefusedUpload(const grpc::Status& status) { Finish(status); }
  void OnDone() override { delete this; }
};

}  // namespace

grpc::ServerBidiReactor<v1::AgentMessage, v1::SchedulerMessage>* AgentService::Session(
    grpc::CallbackServerContext* context) {
  const auto principal = router_.Admit(*context, "Agent.Session");
  if (!principal.ok()) {
    return new RefusedSession(ToGrpcStatus(principal.status(), context));
  }
  const AgentSessionContext parts{.loop = &router_.loop(),
                                  .authenticator = &router_.authenticator(),
                                  .relay = &relay_,
                                  .samples = &samples_};
  auto session = std::make_shared<AgentSession>(
      context, principal->actor, router_.authenticator().NodeName(principal->actor.node), parts);
  absl::MutexLock lock(&mu_);
  if (stopped_) {
    return new RefusedSession(
        ToGrpcStatus(absl::UnavailableError("the scheduler is stopping"), context));
  }
  sessions_.insert(session);
  session->Start([this](const std::shared_ptr<AgentSession>& done) {
    absl::MutexLock lock_of_done(&mu_);
    sessions_.erase(done);
  });
  return session.get();
}

grpc::ServerReadReactor<v1::LogChunk>* AgentService::LogUpload(grpc::CallbackServerContext* context,
                                                               v1::LogUploadResponse*) {
  const auto principal = router_.Admit(*context, "Agent.LogUpload");
  if (!principal.ok()) {
    return new RefusedUpload(ToGrpcStatus(principal.status(), context));
  }
  return StartLogUpload(context, principal->actor, relay_);
}

grpc::ServerBidiReactor<v1::ChannelOutput, v1::ChannelInput>* AgentService::Channel(
    grpc::CallbackServerContext* context) {
  return StartAgentChannel(context, router_, channels_);
}

grpc::ServerWriteReactor<v1::FetchWorkdirResponse>* AgentService::FetchWorkdir(
    grpc::CallbackServerContext* context, const v1::FetchWorkdirRequest* request) {
  return StartWorkdirStream(context, *request, router_, uploads_);
}

absl::StatusOr<std::shared_ptr<AgentSession>> AgentService::FindOpen(NodeId node) {
  absl::MutexLock lock(&mu_);
  for (const auto& session : sessions_) {
    if (session->node() == node && session->is_open()) {
      return session;
    }
  }
  return absl::UnavailableError("the node is not connected");
}

absl::Status AgentService::OpenLog(NodeId node, const v1::OpenLog& message) {
  ASSIGN_OR_RETURN(const std::shared_ptr<AgentSession> session, FindOpen(node));
  session->OpenLog(message);
  return absl::OkStatus();
}

absl::Status AgentService::OpenChannel(NodeId node, const v1::OpenChannel& message) {
  ASSIGN_OR_RETURN(const std::shared_ptr<AgentSession> session, FindOpen(node));
  session->OpenChannel(message);
  return absl::OkStatus();
}

void AgentService::CloseRefused(const std::function<absl::Status(absl::string_view)>& check) {
  std::vector<std::shared_ptr<AgentSession>> sessions;
  {
    absl::MutexLock lock(&mu_);
    sessions.assign(sessions_.begin(), sessions_.end());
  }
  for (const auto& session : sessions) {
    if (const absl::Status status = check(session->token_id()); !status.ok()) {
      session->CloseWith(status);
    }
  }
}

void AgentService::Stop() {
  std::vector<std::shared_ptr<AgentSession>> sessions;
  {
    absl::MutexLock lock(&mu_);
    stopped_ = true;
    sessions.assign(sessions_.begin(), sessions_.end());
  }
  for (const auto& session : sessions) {
    session->CloseWith(absl::UnavailableError("the scheduler is stopping"));
  }
}

}  // namespace berth
