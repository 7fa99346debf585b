// The part of the client service that changes jobs.

#include <cstdint>
#include <string>

#include "absl/strings/str_cat.h"

#include "common/status_macros.h"
#include "scheduler/convert.h"
#include "scheduler/rpc/client_events.h"
#include "scheduler/rpc/client_service.h"

namespace berth {
namespace {

// Every change of one job is answered with the job as it is then.
template <typename Request, typename Response>
grpc::ServerUnaryReactor* ChangeJob(CallRouter& router, grpc::CallbackServerContext* context,
                                    absl::string_view rpc, const Request* request,
                                    Response* response) {
  uint64_t job = request->job_id();
  if constexpr (requires { request->array_id(); }) {
    job = request->array_id() != 0 ? request->array_id() : job;
  }
  return router.Apply(context, *request,
                      {.rpc = rpc,
                       .object = absl::StrCat("job/", job),
                       .event = ToEvent(*request),
                       .answer = [=](const Actor& actor, const Outcome& outcome,
                                     const ReadView& view) -> absl::Status {
                         ASSIGN_OR_RETURN(const JobRecord record, view.FindJob(actor, outcome.job));
                         *response->mutable_job() = ToProto(record, view.cluster());
                         if constexpr (requires { response->mutable_tasks(); }) {
                           if (request->tasks_size() > 0) {
                             *response->mutable_tasks() = ToProto(outcome.tasks);
                           }
                         }
                         return absl::OkStatus();
                       }});
}

}  // namespace

ClientService::Reactor* ClientService::CancelJob(Context* context,
                                                 const v1::CancelJobRequest* request,
                                                 v1::CancelJobResponse* response) {
  return ChangeJob(router_, context, "Client.CancelJob", request, response);
}

ClientService::Reactor* ClientService::HoldJob(Context* context, const v1::HoldJobRequest* request,
                                               v1::HoldJobResponse* response) {
  return ChangeJob(router_, context, "Client.HoldJob", request, response);
}

ClientService::Reactor* ClientService::ReleaseJob(Context* context,
                                                  const v1::ReleaseJobRequest* request,
                                                  v1::ReleaseJobResponse* response) {
  return ChangeJob(router_, context, "Client.ReleaseJob", request, response);
}

ClientService::Reactor* ClientService::UpdateJob(Context* context,
                                                 const v1::UpdateJobRequest* request,
                                                 v1::UpdateJobResponse* response) {
  return ChangeJob(router_, context, "Client.UpdateJob", request, response);
}

ClientService::Reactor* ClientService::RequeueJob(Context* context,
                                                  const v1::RequeueJobRequest* request,
                                                  v1::RequeueJobResponse* response) {
  return ChangeJob(router_, context, "Client.RequeueJob", request, response);
}

ClientService::Reactor* ClientService::NotifyCheckpoint(Context* context,
                                                        const v1::NotifyCheckpointRequest* request,
                                                        v1::NotifyCheckpointResponse* response) {
  return ChangeJob(router_, context, "Client.NotifyCheckpoint", request, response);
}

}  // namespace berth
