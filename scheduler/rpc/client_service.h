#ifndef BERTH_SCHEDULER_RPC_CLIENT_SERVICE_H_
#define BERTH_SCHEDULER_RPC_CLIENT_SERVICE_H_

// The API for people and programs: translate, post, finish. Every call runs on gRPC's threads until
// it is posted and on the loop's thread when it is answered; none blocks.

#include <functional>
#include <string>
#include <utility>

#include "absl/status/status.h"

#include "proto/client_api.grpc.pb.h"
#include "scheduler/rpc/background_worker.h"
#include "scheduler/rpc/call.h"
#include "scheduler/rpc/enter_stream.h"
#include "scheduler/rpc/log_stream.h"
#include "scheduler/rpc/sample_board.h"
#include "scheduler/rpc/upload_desk.h"

namespace berth {

// What answers beside the loop.
struct ClientParts {
  BackgroundWorker& worker;
  UploadDesk& uploads;
  const SampleBoard& samples;
};

// Owned by the Server. Requires: what is handed over outlives it.
class ClientService final : public v1::Client::CallbackService {
 public:
  ClientService(CallRouter& router, LogSource logs, JobEntry entry, const ClientParts& parts)
      : router_(router),
        logs_(std::move(logs)),
        entry_(std::move(entry)),
        worker_(parts.worker),
        uploads_(parts.uploads),
        samples_(parts.samples) {}

  using Context = grpc::CallbackServerContext;
  using Reactor = grpc::ServerUnaryReactor;

  // client_service.cc: about the caller, and jobs.
  Reactor* Ping(Context* context, const v1::PingRequest* request,
                v1::PingResponse* response) override;
  Reactor* WhoAmI(Context* context, const v1::WhoAmIRequest* request,
                  v1::WhoAmIResponse* response) override;
  Reactor* SubmitJob(Context* context, const v1::SubmitJobRequest* request,
                     v1::SubmitJobResponse* response) override;
  Reactor* SubmitJobs(Context* context, const v1::SubmitJobsRequest* request,
                      v1::SubmitJobsResponse* response) override;
  grpc::ServerBidiReactor<v1::UploadWorkdirRequest, v1::UploadWorkdirResponse>* UploadWorkdir(
      Context* context) override;
  Reactor* GetJob(Context* context, const v1::GetJobRequest* request,
                  v1::GetJobResponse* response) override;
  Reactor* ListJobs(Context* context, const v1::ListJobsRequest* request,
                    v1::ListJobsResponse* response) override;
  Reactor* WaitJob(Context* context, const v1::WaitJobRequest* request,
                   v1::WaitJobResponse* response) override;
  grpc::ServerWriteReactor<v1::StreamLogsResponse>* StreamLogs(
      Context* context, const v1::StreamLogsRequest* request) override;
  grpc::ServerBidiReactor<v1::ChannelInput, v1::ChannelOutput>* EnterJob(Context* context) override;
  Reactor* ListAllocations(Context* context, const v1::ListAllocationsRequest* request,
                           v1::ListAllocationsResponse* response) override;

  Reactor* FindArrayTask(Context* context, const v1::FindArrayTaskRequest* request,
                         v1::FindArrayTaskResponse* response) override;

  // client_service_changes.cc: what changes one job.
  Reactor* CancelJob(Context* context, const v1::CancelJobRequest* request,
                     v1::CancelJobResponse* response) override;
  Reactor* HoldJob(Context* context, const v1::HoldJobRequest* request,
                   v1::HoldJobResponse* response) override;
  Reactor* ReleaseJob(Context* context, const v1::ReleaseJobRequest* request,
                      v1::ReleaseJobResponse* response) override;
  Reactor* UpdateJob(Context* context, const v1::UpdateJobRequest* request,
                     v1::UpdateJobResponse* response) override;
  Reactor* RequeueJob(Context* context, const v1::RequeueJobRequest* request,
                      v1::RequeueJobResponse* response) override;
  Reactor* NotifyCheckpoint(Context* context, const v1::NotifyCheckpointRequest* request,
                            v1::NotifyCheckpointResponse* response) override;

  // client_service_explain.cc: why a job waits, and what would happen to one.
  Reactor* ExplainJob(Context* context, const v1::ExplainJobRequest* request,
                      v1::ExplainJobResponse* response) override;

  // client_service_bookings.cc: queues of tenants and their suspension, bookings of nodes.
  Reactor* SetTenantQueue(Context* context, const v1::SetTenantQueueRequest* request,
                          v1::SetTenantQueueResponse* response) override;
  Reactor* SuspendTenant(Context* context, const v1::SuspendTenantRequest* request,
                         v1::SuspendTenantResponse* response) override;
  Reactor* AddBooking(Context* context, const v1::AddBookingRequest* request,
                      v1::AddBookingResponse* response) override;
  Reactor* ListBookings(Context* context, const v1::ListBookingsRequest* request,
                        v1::ListBookingsResponse* response) override;
  Reactor* EndBooking(Context* context, const v1::EndBookingRequest* request,
                      v1::EndBookingResponse* response) override;

  // client_service_center.cc: nodes, tenants, tokens, quotas.
  Reactor* ListNodes(Context* context, const v1::ListNodesRequest* request,
                     v1::ListNodesResponse* response) override;
  Reactor* DrainNode(Context* context, const v1::DrainNodeRequest* request,
                     v1::DrainNodeResponse* response) override;
  Reactor* UndrainNode(Context* context, const v1::UndrainNodeRequest* request,
                       v1::UndrainNodeResponse* response) override;
  Reactor* ConfirmNodeDead(Context* context, const v1::ConfirmNodeDeadRequest* request,
                           v1::ConfirmNodeDeadResponse* response) override;
  Reactor* EndLossHold(Context* context, const v1::EndLossHoldRequest* request,
                       v1::EndLossHoldResponse* response) override;
  Reactor* AddTenant(Context* context, const v1::AddTenantRequest* request,
                     v1::AddTenantResponse* response) override;
  Reactor* ListTenants(Context* context, const v1::ListTenantsRequest* request,
                       v1::ListTenantsResponse* response) override;
  Reactor* AddProject(Context* context, const v1::AddProjectRequest* request,
                      v1::AddProjectResponse* response) override;
  Reactor* ListProjects(Context* context, const v1::ListProjectsRequest* request,
                        v1::ListProjectsResponse* response) override;
  Reactor* AddUser(Context* context, const v1::AddUserRequest* request,
                   v1::AddUserResponse* response) override;
  Reactor* ListUsers(Context* context, const v1::ListUsersRequest* request,
                     v1::ListUsersResponse* response) override;
  Reactor* CreateToken(Context* context, const v1::CreateTokenRequest* request,
                       v1::CreateTokenResponse* response) override;
  Reactor* ListTokens(Context* context, const v1::ListTokensRequest* request,
                      v1::ListTokensResponse* response) override;
  Reactor* RevokeToken(Context* context, const v1::RevokeTokenRequest* request,
                       v1::RevokeTokenResponse* response) override;
  Reactor* GetQuota(Context* context, const v1::GetQuotaRequest* request,
                    v1::GetQuotaResponse* response) override;
  Reactor* SetQuota(Context* context, const v1::SetQuotaRequest* request,
                    v1::SetQuotaResponse* response) override;

 private:
  // Has the desk keep the uploaded folder from now on, and calls `checked` once, on any thread:
  // with NotFound if the submission's tenant has none of that name (any more). Empty: there is
  // none.
  using Checked = std::function<void(const absl::Status&)>;
  void UseUpload(const Actor& actor, const berth::SubmitJob& submit, const std::string& upload,
                 Checked checked);
  // To the loop, once its uploaded folder, if it has one, is kept; also where it is only tried.
  void PostSubmission(ChangeRequest change, const std::string& upload);

  CallRouter& router_;
  const LogSource logs_;
  const JobEntry entry_;
  BackgroundWorker& worker_;
  UploadDesk& uploads_;
  const SampleBoard& samples_;
};

}  // namespace berth

#endif  // BERTH_SCHEDULER_RPC_CLIENT_SERVICE_H_
