#include "common/grpc_status.h"

#include <string>

#include "common/error_detail.h"
#include "proto/client_api.pb.h"

namespace berth {
namespace {

constexpr char kMetadataKey[] = "berth-error-bin";

}  // namespace

grpc::Status ToGrpcStatus(const absl::Status& status, grpc::ServerContextBase* context) {
  if (status.ok()) {
    return grpc::Status::OK;
  }
  if (const auto detail = FindDetail(status); detail.has_value() && context != nullptr) {
    v1::ErrorDetail message;
    message.set_code(detail->code);
    message.set_message(std::string(status.message()));
    message.mutable_why()->Assign(detail->why.begin(), detail->why.end());
    message.mutable_fix()->Assign(detail->fix.begin(), detail->fix.end());
    message.set_retryable(detail->retryable);
    message.set_refused_by_entitlement(detail->refused_by_entitlement);
    context->AddTrailingMetadata(kMetadataKey, message.SerializeAsString());
  }
  return {static_cast<grpc::StatusCode>(status.code()), std::string(status.message())};
}

absl::Status FromGrpcStatus(const grpc::Status& status, const grpc::ClientContext& context) {
  if (status.ok()) {
    return absl::OkStatus();
  }
  absl::Status result(static_cast<absl::StatusCode>(status.error_code()), status.error_message());
  const auto& metadata = context.GetServerTrailingMetadata();
  const auto found = metadata.find(kMetadataKey);
  v1::ErrorDetail message;
  if (found == metadata.end() ||
      !message.ParseFromArray(found->second.data(), static_cast<int>(found->second.size()))) {
    return result;
  }
  return WithDetail(result, {
                                .code = message.code(),
                                .why = {message.why().begin(), message.why().end()},
                                .fix = {message.fix().begin(), message.fix().end()},
                                .retryable = message.retryable(),
                                .refused_by_entitlement = message.refused_by_entitlement()
  });
}

}  // namespace berth
