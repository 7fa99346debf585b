// The control loop's part with what people ask: each request is applied once, answered and audited.

#include <utility>

#include "absl/strings/str_cat.h"

#include "common/error_detail.h"
#include "common/status_macros.h"
#include "scheduler/control_loop.h"
#include "scheduler/control_loop_turn.h"
#include "scheduler/core/job_requests.h"

namespace berth {
namespace {

// The job that a change of one job is about; none for the others.
JobId JobOf(const UserEvent& event) {
  return std::visit(
      [](const auto& request) {
        if constexpr (requires { JobId(request.job); }) {
          return request.job;
        } else {
          return JobId();
        }
      },
      event);
}

// What only takes things back is possible on a full disk, too.
bool NeedsRoom(const UserEvent& event) {
  return !JobOf(event) && !std::holds_alternative<RevokeToken>(event) &&
         !std::holds_alternative<DrainNode>(event) &&
         !std::holds_alternative<ConfirmNodeDead>(event) &&
         !std::holds_alternative<NoteFence>(event) && !std::holds_alternative<EndLossHold>(event);
}

}  // namespace

absl::Status DiskFull() {
  return WithDetail(
      absl::ResourceExhaustedError("the scheduler's disk is full: nothing new is accepted"),
      {.code = "B8208",
       .why = {"what runs goes on, and its results are still recorded"},
       .fix = {"the center's operators must free space under the scheduler's data folder: 32 MiB "
               "must be free"},
       .retryable = true});
}

void ControlLoop::ApplyChange(ChangeRequest& request, Turn& turn) {
  absl::StatusOr<ChangeResult> result = TryChange(request, turn);
  if (result.ok() || absl::IsPermissionDenied(result.status())) {
    const JobId job = result.ok() ? result->outcome.job : JobId();
    turn.audits.push_back({.at = turn.now,
                           .user = request.actor.user,
                           .token_id = request.actor.token_id,
                           .peer = request.audit.peer,
                           .action = request.audit.action,
                           .object = job ? absl::StrCat("job ", job.value()) : request.audit.object,
                           .tenant = request.actor.tenant,
                           .decision = result.ok() ? "ok" : "permission-denied",
                           .digest = request.audit.digest});
  }
  turn.replies.emplace_back(
      [done = std::move(request.done), result = std::move(result)] { done(result); });
}

absl::StatusOr<ChangeResult> ControlLoop::TryChange(ChangeRequest& request, Turn& turn) {
  const bool keyed = request.submit.has_value() && !request.submit->idempotency_key.empty();
  auto* const submit = std::get_if<SubmitJob>(&request.event);
  const TenantId key_tenant =
      keyed ? SubmitTenant(engine_.cluster(), request.actor, *submit) : TenantId();
  if (keyed) {
    ASSIGN_OR_RETURN(std::optional<ChangeResult> existing, FindExisting(request, key_tenant, turn));
    if (existing.has_value()) {
      return *std::move(existing);
    }
  }
  if (store_->disk_full() && NeedsRoom(request.event)) {
    return DiskFull();
  }
  if (submit != nullptr) {
    const ReadView view(engine_, *store_, turn.now);
    RETURN_IF_ERROR(view.FindEndedDependencies(request.actor, *submit));
  }
  if (auto* const cancel = std::get_if<CancelJob>(&request.event); cancel != nullptr) {
    const ReadView view(engine_, *store_, turn.now);
    RETURN_IF_ERROR(view.FindCancelledTasks(*cancel));
  }
  absl::StatusOr<Outcome> outcome = engine_.Apply(request.actor, request.event, turn.now);
  if (!outcome.ok()) {
    return ExplainMissing(request, outcome.status());
  }
  if (request.submit.has_value()) {
    turn.submissions.push_back({.job = outcome->job,
                                .tenant = engine_.cluster().GetJob(outcome->job).spec.tenant,
                                .idempotency_key = request.submit->idempotency_key,
                                .payload_hash = std::move(request.submit->payload_hash),
                                .payload = std::move(request.submit->payload),
                                .upload = std::move(request.submit->upload)});
    if (keyed) {
      // Stable: the vector was reserved for all items of the turn.
      turn.keys[{key_tenant, turn.submissions.back().idempotency_key}] = &turn.submissions.back();
    }
  }
  return ChangeResult{.outcome = *std::move(outcome), .existing = false};
}

absl::StatusOr<std::optional<ChangeResult>> ControlLoop::FindExisting(const ChangeRequest& request,
                                                                      TenantId tenant,
                                                                      const Turn& turn) {
  const std::string& key = request.submit->idempotency_key;
  std::optional<Store::KnownSubmission> known;
  if (const auto pending = turn.keys.find({tenant, key}); pending != turn.keys.end()) {
    known = {pending->second->job, pending->second->payload_hash};
  } else {
    ASSIGN_OR_RETURN(known, store_->FindSubmission(tenant, key));
  }
  if (!known.has_value()) {
    return std::optional<ChangeResult>();
  }
  if (known->payload_hash != request.submit->payload_hash) {
    return MakeError(
        absl::StatusCode::kAlreadyExists,
        {.code = "B4003",
         .message = absl::StrCat("this idempotency key belongs to job ", known->job.value(),
                                 ", which was submitted with another specification"),
         .why = "a key names one submission for ever",
         .fix = absl::StrCat("berth show ", known->job.value())});
  }
  ChangeResult result;
  result.outcome.job = known->job;
  result.existing = true;
  return std::optional<ChangeResult>(std::move(result));
}

absl::Status ControlLoop::ExplainMissing(const ChangeRequest& request,
                                         const absl::Status& status) const {
  const JobId id = JobOf(request.event);
  if (!absl::IsNotFound(status) || !id) {
    return status;
  }
  const auto ended = store_->FindEndedJob(id);
  if (!ended.ok() || !ended->has_value() || !request.actor.MaySee((*ended)->spec.tenant)) {
    return status;
  }
  return MakeError(absl::StatusCode::kFailedPrecondition,
                   {.code = "B4002",
                    .message = absl::StrCat("job ", id.value(), " has already ended (",
                                            Name((*ended)->state), ")"),
                    .why = "",
                    .fix = absl::StrCat("berth show ", id.value())});
}

}  // namespace berth
