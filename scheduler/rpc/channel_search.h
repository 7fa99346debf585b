#ifndef BERTH_SCHEDULER_RPC_CHANNEL_SEARCH_H_
#define BERTH_SCHEDULER_RPC_CHANNEL_SEARCH_H_

// Whether somebody may enter a job, and on which node that is.

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "proto/channel.pb.h"
#include "scheduler/rpc/log_search.h"

namespace berth {

// What is wrong with the form of a request, as InvalidArgument.
absl::Status CheckEnterRequest(const v1::EnterJobRequest& request);
// Of a frame that follows the first.
absl::Status CheckInput(const v1::ChannelInput& input);

// NotFound if the caller may not know of the job, PermissionDenied unless it is the caller's own,
// FailedPrecondition unless it runs.
absl::StatusOr<LogPlace> FindChannelPlace(const ReadView& view, const Actor& actor,
                                          const v1::EnterJobRequest& request);

}  // namespace berth

#endif  // BERTH_SCHEDULER_RPC_CHANNEL_SEARCH_H_
