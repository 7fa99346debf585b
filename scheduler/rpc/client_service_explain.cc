// Explanations: what is in the store is read on the loop, the rest is worked out on a copy.

#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "common/error_detail.h"
#include "common/status_macros.h"
#include "scheduler/convert.h"
#include "scheduler/rpc/client_events.h"
#include "scheduler/rpc/client_service.h"
#include "scheduler/rpc/explanation.h"

namespace berth {
namespace {

CenterFork ForkOf(const ReadView& view) {
  return {.cluster = view.Fork(), .policy = view.policy(), .now = view.now()};
}

absl::Status TooMany() {
  return WithDetail(absl::ResourceExhaustedError("too many explanations are asked for at once"),
                    {.code = "B8103",
                     .why = {"they are worked out one after the other"},
                     .fix = {"try again in a moment"},
                     .retryable = true});
}

// What is known of the job and its past.
absl::Status FillPast(const ReadView& view, const Actor& actor, const JobRecord& record,
                      v1::Explanation* out) {
  v1::Job& job = *out->mutable_job();
  job = ToProto(record, view.cluster());
  ASSIGN_OR_RETURN(const std::vector<Attempt> attempts, view.ListEndedAttempts(record.job.id));
  for (const Attempt& attempt : attempts) {
    *job.add_attempts() = ToProto(attempt, view.cluster());
  }
  ASSIGN_OR_RETURN(const std::vector<Reclaim> reclaims, view.ListReclaims(record.job.id));
  for (const Reclaim& reclaim : reclaims) {
    *job.add_reclaims() = ToProto(reclaim, actor, view.cluster());
  }
  *out->mutable_gang() = job.gang();
  out->set_tenant(job.tenant());
  out->set_project(job.project());
  return absl::OkStatus();
}

// A call that is answered by the worker.
struct ExplainCall {
  std::shared_ptr<Call> call;
  BackgroundWorker& worker;
  Actor actor;
  v1::Explanation* out;

  // Runs `work` on the worker's thread and answers with its status.
  void Finish(std::function<absl::Status()> work) const {
    if (!worker.Post([call = call, work = std::move(work)] { call->Finish(work()); })) {
      call->Finish(TooMany());
    }
  }
};

// `change`: as if the job had been changed so.
void ExplainExisting(const ReadView& view, JobId id, const std::optional<UpdateJob>& change,
                     const ExplainCall& asked) {
  const auto record = view.FindJob(asked.actor, id);
  const absl::Status status =
      record.ok() ? FillPast(view, asked.actor, *record, asked.out) : record.status();
  if (!status.ok() || IsTerminal(record->job.state)) {
    asked.out->set_verdict(v1::Explanation::VERDICT_ENDED);
    asked.call->Finish(status);
    return;
  }
  asked.Finish([fork = ForkOf(view), actor = asked.actor, id, change, out = asked.out] {
    if (change.has_value()) {
      return ExplainChangedJob(fork, actor, *change, out);
    }
    ExplainLiveJob(fork, actor, id, out);
    return absl::OkStatus();
  });
}

void ExplainNew(const ReadView& view, SubmitJob submit, const ExplainCall& asked) {
  if (const absl::Status status = view.FindEndedDependencies(asked.actor, submit); !status.ok()) {
    asked.call->Finish(status);
    return;
  }
  asked.Finish([fork = ForkOf(view), actor = asked.actor, submit = std::move(submit),
                out = asked.out] { return PlanSubmission(fork, actor, submit, out); });
}

}  // namespace

ClientService::Reactor* ClientService::ExplainJob(Context* context,
                                                  const v1::ExplainJobRequest* request,
                                                  v1::ExplainJobResponse* response) {
  auto call = std::make_shared<Call>(context);
  Reactor* reactor = call->reactor();
  // A plan may be asked for by those who may submit it.
  auto principal =
      router_.Admit(*context, request->has_submit() ? "Client.SubmitJob" : "Client.ExplainJob");
  if (!principal.ok()) {
    call->Finish(principal.status());
    return reactor;
  }
  const ExplainCall asked{.call = call,
                          .worker = worker_,
                          .actor = std::move(principal->actor),
                          .out = response->mutable_explanation()};
  if (!request->has_submit()) {
    std::optional<berth::UpdateJob> change;  // UpdateJob is a call here
    if (request->has_what_if()) {
      auto update = ToUpdateJob(request->what_if());
      if (!update.ok()) {
        call->Finish(update.status());
        return reactor;
      }
      change = std::move(*update);
      change->job = JobId(request->job_id());
    }
    router_.loop().PostRead(
        [asked, id = JobId(request->job_id()), change = std::move(change)](const ReadView& view) {
          ExplainExisting(view, id, change, asked);
        });
    return reactor;
  }
  const auto submit = ToSubmitJob(request->submit());
  if (!submit.ok()) {
    call->Finish(submit.status());
    return reactor;
  }
  UseUpload(asked.actor, *submit, request->submit().spec().workdir_sha256(),
            [this, asked, submit = *submit](const absl::Status& status) {
              if (!status.ok()) {
                asked.call->Finish(status);
                return;
              }
              router_.loop().PostRead(
                  [asked, submit](const ReadView& view) { ExplainNew(view, submit, asked); });
            });
  return reactor;
}

}  // namespace berth
