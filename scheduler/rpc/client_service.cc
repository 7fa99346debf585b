#include "scheduler/rpc/client_service.h"

#include <algorithm>
#include <atomic>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

#include "common/error_detail.h"
#include "common/status_macros.h"
#include "scheduler/convert.h"
#include "scheduler/convert_text.h"
#include "scheduler/rpc/client_events.h"
#include "scheduler/rpc/device_use.h"
#include "scheduler/rpc/protocol_version.h"
#include "scheduler/rpc/upload_stream.h"

namespace berth {
namespace {

constexpr int kJobsPerCallMax = 10000;
constexpr int kWaitMsMax = 60 * 1000;
constexpr int kAttemptsListedMax = 10000;

// For the job's owner and the admins of its tenant; operators see it without the variables' values.
absl::Status FillSpec(const ReadView& view, const Actor& actor, const Job& job, v1::JobSpec* out) {
  if (actor.role == Role::kAuditor) {
    return MakeError(absl::StatusCode::kPermissionDenied,
                     {.code = "B7208",
                      .message = "an auditor may not see what a job runs",
                      .why = "",
                      .fix = "ask without the specification"});
  }
  ASSIGN_OR_RETURN(const std::string payload, view.GetJobPayload(job));
  if (!out->ParseFromString(payload)) {
    return absl::InternalError(
        absl::StrCat("the specification of job ", job.id.value(), " cannot be read"));
  }
  const bool is_own = actor.user && actor.user == job.spec.user;
  const bool is_admin = actor.role == Role::kTenantAdmin && actor.tenant == job.spec.tenant;
  if (!is_own && !is_admin) {
    for (auto& [name, value] : *out->mutable_environment()) {
      value = "(redacted)";
    }
  }
  return absl::OkStatus();
}

absl::Status FillAllAttempts(const ReadView& view, const Job& job, v1::Job* out) {
  ASSIGN_OR_RETURN(std::vector<AllocationRecord> records,
                   view.ListAllocations({.tenant = job.spec.tenant,
                                         .job = job.id,
                                         .attempt = std::nullopt,
                                         .limit = kAttemptsListedMax}));
  const auto place = [](const AllocationRecord& record) {
    return std::pair(record.allocation.attempt, record.allocation.rank);
  };
  std::sort(records.begin(), records.end(),
            [&place](const AllocationRecord& a, const AllocationRecord& b) {
              return place(a) < place(b);
            });
  out->clear_allocations();
  for (const AllocationRecord& record : records) {
    *out->add_allocations() = ToProto(record, view.cluster());
  }
  ASSIGN_OR_RETURN(const std::vector<Attempt> attempts, view.ListEndedAttempts(job.id));
  for (const Attempt& attempt : attempts) {
    *out->add_attempts() = ToProto(attempt, view.cluster());
  }
  return absl::OkStatus();
}

absl::Status FillReclaims(const ReadView& view, const Actor& actor, JobId job, v1::Job* out) {
  ASSIGN_OR_RETURN(const std::vector<Reclaim> reclaims, view.ListReclaims(job));
  for (const Reclaim& reclaim : reclaims) {
    *out->add_reclaims() = ToProto(reclaim, actor, view.cluster());
  }
  return absl::OkStatus();
}

absl::StatusOr<ChangeRequest> ToSubmission(const grpc::ServerContextBase& context,
                                           const Actor& actor,
                                           const v1::SubmitJobRequest& request) {
  ASSIGN_OR_RETURN(berth::SubmitJob event, ToSubmitJob(request));
  SubmitPayload payload = ToSubmitPayload(request);
  ChangeRequest change;
  change.actor = actor;
  change.audit = {.action = "Client.SubmitJob",
                  .object = absl::StrCat("project/", request.spec().project()),
                  .peer = context.peer(),
                  .digest = absl::BytesToHexString(payload.payload_hash)};
  if (!event.dry_run) {
    change.submit = std::move(payload);
  }
  change.event = std::move(event);
  return change;
}

void FillError(const absl::Status& status, v1::ErrorDetail* out) {
  out->set_message(std::string(status.message()));
  if (const auto detail = FindDetail(status); detail.has_value()) {
    out->set_code(detail->code);
    out->mutable_why()->Assign(detail->why.begin(), detail->why.end());
    out->mutable_fix()->Assign(detail->fix.begin(), detail->fix.end());
    out->set_retryable(detail->retryable);
    out->set_refused_by_entitlement(detail->refused_by_entitlement);
  } else {
    out->set_code("B9001");
  }
}

// A bulk submission whose parts are answered one by one.
struct BulkSubmission {
  BulkSubmission(std::shared_ptr<Call> call_in, v1::SubmitJobsResponse* response_in, int parts)
      : call(std::move(call_in)), response(response_in), missing(parts) {}

  const std::shared_ptr<Call> call;
  v1::SubmitJobsResponse* const response;
  std::atomic<int> missing;

  // Each index once, from any thread.
  void Answer(int index, const absl::StatusOr<ChangeResult>& result) {
    v1::SubmitJobsResponse::Result& out = *response->mutable_results(index);
    if (result.ok()) {
      out.set_job_id(result->outcome.job.value());
      out.set_existing(result->existing);
    } else {
      FillError(result.status(), out.mutable_error());
    }
    if (missing.fetch_sub(1) == 1) {
      call->Finish(absl::OkStatus());
    }
  }
};

absl::StatusOr<JobWait> ToJobWait(const Actor& actor, const v1::WaitJobRequest& request) {
  if (!v1::WaitJobRequest::Until_IsValid(request.until()) || request.timeout_ms() < 0) {
    return Refused("B1206", "the call waits for something unknown or for a negative time", "",
                   "check the numbers");
  }
  JobWait wait;
  wait.actor = actor;
  wait.job = JobId(request.job_id());
  wait.until = request.until() == v1::WaitJobRequest::UNTIL_STARTED   ? JobWait::Until::kStarted
               : request.until() == v1::WaitJobRequest::UNTIL_CHANGED ? JobWait::Until::kChanged
                                                                      : JobWait::Until::kEnded;
  wait.known_version = request.known_version();
  wait.timeout = absl::Milliseconds(std::min(request.timeout_ms(), kWaitMsMax));
  return wait;
}

}  // namespace

ClientService::Reactor* ClientService::Ping(Context* context, const v1::PingRequest*,
                                            v1::PingResponse* response) {
  response->set_protocol_min(kProtocolMin);
  response->set_protocol_max(kProtocolMax);
  Reactor* reactor = context->DefaultReactor();
  reactor->Finish(grpc::Status::OK);
  return reactor;
}

ClientService::Reactor* ClientService::WhoAmI(Context* context, const v1::WhoAmIRequest*,
                                              v1::WhoAmIResponse* response) {
  return router_.Read(context, "Client.WhoAmI", [=](const Actor& actor, const ReadView& view) {
    if (const User* user = view.cluster().FindUser(actor.user); user != nullptr) {
      *response->mutable_user() = ToProto(*user, view.cluster());
    }
    if (const Token* token = view.cluster().FindToken(actor.token_id); token != nullptr) {
      response->set_token_expires_at_us(ToProto(*token, view.cluster()).expires_at_us());
    }
    response->set_token_id(actor.token_id);
    response->set_server_version(kServerVersion);
    return absl::OkStatus();
  });
}

ClientService::Reactor* ClientService::SubmitJob(Context* context,
                                                 const v1::SubmitJobRequest* request,
                                                 v1::SubmitJobResponse* response) {
  auto call = std::make_shared<Call>(context);
  Reactor* reactor = call->reactor();
  const auto principal = router_.Admit(*context, "Client.SubmitJob");
  auto change = principal.ok() ? ToSubmission(*context, principal->actor, *request)
                               : absl::StatusOr<ChangeRequest>(principal.status());
  if (!change.ok()) {
    call->Finish(change.status());
    return reactor;
  }
  change->done = [call, response](const absl::StatusOr<ChangeResult>& result) {
    if (result.ok()) {
      response->set_job_id(result->outcome.job.value());
      response->set_existing(result->existing);
      response->mutable_notes()->Assign(result->outcome.notes.begin(), result->outcome.notes.end());
    }
    call->Finish(result.status());
  };
  PostSubmission(*std::move(change), request->spec().workdir_sha256());
  return reactor;
}

ClientService::Reactor* ClientService::SubmitJobs(Context* context,
                                                  const v1::SubmitJobsRequest* request,
                                                  v1::SubmitJobsResponse* response) {
  auto call = std::make_shared<Call>(context);
  Reactor* reactor = call->reactor();
  const auto principal = router_.Admit(*context, "Client.SubmitJobs");
  const int count = request->jobs_size();
  if (!principal.ok() || count == 0 || count > kJobsPerCallMax) {
    call->Finish(!principal.ok() ? principal.status()
                                 : Refused("B1206", absl::StrCat("one call has ", count, " jobs"),
                                           absl::StrCat("it may have 1 to ", kJobsPerCallMax),
                                           "split the jobs over several calls"));
    return reactor;
  }
  // `request` and `response` live until the last part is answered, which may be before this
  // function returns: the loop below keeps one part back for itself.
  auto bulk = std::make_shared<BulkSubmission>(call, response, count + 1);
  for (int i = 0; i < count; ++i) {
    response->add_results();
  }
  for (int i = 0; i < count; ++i) {
    auto change = ToSubmission(*context, principal->actor, request->jobs(i));
    if (!change.ok()) {
      bulk->Answer(i, change.status());
      continue;
    }
    change->done = [bulk, i](const absl::StatusOr<ChangeResult>& result) {
      bulk->Answer(i, result);
    };
    PostSubmission(*std::move(change), request->jobs(i).spec().workdir_sha256());
  }
  if (bulk->missing.fetch_sub(1) == 1) {
    call->Finish(absl::OkStatus());
  }
  return reactor;
}

void ClientService::UseUpload(const Actor& actor, const berth::SubmitJob& submit,
                              const std::string& upload, Checked checked) {
  if (upload.empty()) {
    checked(absl::OkStatus());
    return;
  }
  router_.loop().PostRead([this, actor, submit, upload,
                           checked = std::move(checked)](const ReadView& view) {
    uploads_.Do([name = UploadName{SubmitTenant(view.cluster(), actor, submit), upload}, checked](
                    UploadStore& store, absl::Time now) { checked(store.Use(name, now)); },
                [checked] { checked(UploadDesk::Overloaded()); });
  });
}

void ClientService::PostSubmission(ChangeRequest change, const std::string& upload) {
  auto held = std::make_shared<ChangeRequest>(std::move(change));
  UseUpload(held->actor, std::get<berth::SubmitJob>(held->event), upload,
            [this, held](const absl::Status& status) {
              if (status.ok()) {
                router_.loop().Post(std::move(*held));
              } else {
                held->done(status);
              }
            });
}

grpc::ServerBidiReactor<v1::UploadWorkdirRequest, v1::UploadWorkdirResponse>*
ClientService::UploadWorkdir(Context* context) {
  return StartUploadStream(context, router_, uploads_);
}

ClientService::Reactor* ClientService::GetJob(Context* context, const v1::GetJobRequest* request,
                                              v1::GetJobResponse* response) {
  return router_.Read(
      context, "Client.GetJob",
      [=, this](const Actor& actor, const ReadView& view) -> absl::Status {
        ASSIGN_OR_RETURN(const JobRecord record, view.FindJob(actor, JobId(request->job_id())));
        *response->mutable_job() = ToProto(record, view.cluster());
        if (request->with_samples()) {
          FillSamples(record, view, samples_, *response->mutable_job());
        }
        if (request->all_attempts()) {
          RETURN_IF_ERROR(FillAllAttempts(view, record.job, response->mutable_job()));
        }
        if (request->with_reclaims()) {
          RETURN_IF_ERROR(FillReclaims(view, actor, record.job.id, response->mutable_job()));
        }
        return request->with_spec() ? FillSpec(view, actor, record.job, response->mutable_spec())
                                    : absl::OkStatus();
      });
}

ClientService::Reactor* ClientService::FindArrayTask(Context* context,
                                                     const v1::FindArrayTaskRequest* request,
                                                     v1::FindArrayTaskResponse* response) {
  return router_.Read(
      context, "Client.FindArrayTask",
      [=](const Actor& actor, const ReadView& view) -> absl::Status {
        ASSIGN_OR_RETURN(const JobId task,
                         view.FindArrayTask(actor, JobId(request->array_id()), request->index()));
        response->set_job_id(task.value());
        return absl::OkStatus();
      });
}

ClientService::Reactor* ClientService::WaitJob(Context* context, const v1::WaitJobRequest* request,
                                               v1::WaitJobResponse* response) {
  auto call = std::make_shared<Call>(context);
  Reactor* reactor = call->reactor();
  const auto principal = router_.Admit(*context, "Client.WaitJob");
  auto wait = principal.ok() ? ToJobWait(principal->actor, *request)
                             : absl::StatusOr<JobWait>(principal.status());
  if (!wait.ok()) {
    call->Finish(wait.status());
    return reactor;
  }
  wait->done = [call, response, &router = router_, token_id = principal->actor.token_id](
                   const absl::StatusOr<JobRecord>& record, bool reached) {
    const absl::Status token = router.authenticator().Recheck(token_id);
    if (!record.ok() || !token.ok()) {
      call->Finish(record.ok() ? token : record.status());
      return;
    }
    response->set_done(reached);
    router.loop().PostRead([call, response, record = *record](const ReadView& view) {
      *response->mutable_job() = ToProto(record, view.cluster());
      call->Finish(absl::OkStatus());
    });
  };
  router_.loop().PostWait(*std::move(wait));
  return reactor;
}

grpc::ServerWriteReactor<v1::StreamLogsResponse>* ClientService::StreamLogs(
    Context* context, const v1::StreamLogsRequest* request) {
  return StartLogStream(context, *request, router_, logs_);
}

grpc::ServerBidiReactor<v1::ChannelInput, v1::ChannelOutput>* ClientService::EnterJob(
    Context* context) {
  return StartEnterStream(context, router_, entry_);
}

ClientService::Reactor* ClientService::ListAllocations(Context* context,
                                                       const v1::ListAllocationsRequest* request,
                                                       v1::ListAllocationsResponse* response) {
  return router_.Read(
      context, "Client.ListAllocations",
      [=](const Actor& actor, const ReadView& view) -> absl::Status {
        AllocationQuery query;
        ASSIGN_OR_RETURN(query.limit, ToPageSize(request->page_size()));
        ASSIGN_OR_RETURN(query.tenant, ToListedTenant(request->tenant(), actor, view.cluster()));
        if (request->job_id() != 0) {
          ASSIGN_OR_RETURN(const JobRecord record, view.FindJob(actor, JobId(request->job_id())));
          query.job = record.job.id;
        }
        ASSIGN_OR_RETURN(const std::vector<AllocationRecord> records, view.ListAllocations(query));
        for (const AllocationRecord& record : records) {
          *response->add_allocations() = ToProto(record, view.cluster());
        }
        return absl::OkStatus();
      },
      JobId(request->job_id()));
}

}  // namespace berth
