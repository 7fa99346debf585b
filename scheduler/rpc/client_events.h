#ifndef BERTH_SCHEDULER_RPC_CLIENT_EVENTS_H_
#define BERTH_SCHEDULER_RPC_CLIENT_EVENTS_H_

// Requests that change something -> the core's events. Form and bounds are checked here, names are
// resolved by the engine.

#include "absl/status/statusor.h"

#include "proto/client_api.pb.h"
#include "scheduler/core/event.h"

namespace berth {

absl::StatusOr<UserEvent> ToEvent(const v1::CancelJobRequest& request);
absl::StatusOr<UserEvent> ToEvent(const v1::HoldJobRequest& request);
absl::StatusOr<UserEvent> ToEvent(const v1::ReleaseJobRequest& request);
absl::StatusOr<UpdateJob> ToUpdateJob(const v1::UpdateJobRequest& request);
absl::StatusOr<UserEvent> ToEvent(const v1::UpdateJobRequest& request);
absl::StatusOr<UserEvent> ToEvent(const v1::RequeueJobRequest& request);
absl::StatusOr<UserEvent> ToEvent(const v1::NotifyCheckpointRequest& request);
absl::StatusOr<UserEvent> ToEvent(const v1::SetTenantQueueRequest& request);
absl::StatusOr<UserEvent> ToEvent(const v1::SuspendTenantRequest& request);
absl::StatusOr<UserEvent> ToEvent(const v1::AddBookingRequest& request);
absl::StatusOr<UserEvent> ToEvent(const v1::EndBookingRequest& request);
absl::StatusOr<UserEvent> ToEvent(const v1::DrainNodeRequest& request);
absl::StatusOr<UserEvent> ToEvent(const v1::UndrainNodeRequest& request);
absl::StatusOr<UserEvent> ToEvent(const v1::ConfirmNodeDeadRequest& request);
absl::StatusOr<UserEvent> ToEvent(const v1::EndLossHoldRequest& request);
absl::StatusOr<UserEvent> ToEvent(const v1::AddTenantRequest& request);
absl::StatusOr<UserEvent> ToEvent(const v1::AddProjectRequest& request);
absl::StatusOr<UserEvent> ToEvent(const v1::AddUserRequest& request);
absl::StatusOr<UserEvent> ToEvent(const v1::RevokeTokenRequest& request);
absl::StatusOr<UserEvent> ToEvent(const v1::SetQuotaRequest& request);
// Without the token itself: id and hash are filled in by the caller.
absl::StatusOr<AddToken> ToAddToken(const v1::CreateTokenRequest& request);

}  // namespace berth

#endif  // BERTH_SCHEDULER_RPC_CLIENT_EVENTS_H_
