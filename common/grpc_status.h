#ifndef BERTH_COMMON_GRPC_STATUS_H_
#define BERTH_COMMON_GRPC_STATUS_H_

// absl::Status <-> grpc::Status. An ErrorDetail attached to a Status (see error_detail.h) travels
// in the trailing metadata "berth-error-bin".

#include "absl/status/status.h"
#include <grpcpp/grpcpp.h>

namespace berth {

// For a handler: also puts the detail into the call's trailing metadata.
grpc::Status ToGrpcStatus(const absl::Status& status, grpc::ServerContextBase* context);

// For a client: the status of a finished call with its detail, if the server sent one.
absl::Status FromGrpcStatus(const grpc::Status& status, const grpc::ClientContext& context);

}  // namespace berth

#endif  // BERTH_COMMON_GRPC_STATUS_H_
