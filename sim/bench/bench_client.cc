#include "sim/bench/bench_client.h"

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

#include "common/grpc_status.h"
#include "common/status_macros.h"

namespace berth {
namespace {

constexpr absl::Duration kJobPatience = absl::Seconds(30);

}  // namespace

v1::SubmitJobRequest JobOf(const std::string& key, const std::vector<std::string>& command) {
  v1::SubmitJobRequest request;
  request.set_idempotency_key(key);
  request.mutable_spec()->set_name("bench");
  request.mutable_spec()->mutable_command()->Assign(command.begin(), command.end());
  request.mutable_spec()->mutable_gang()->set_nodes(1);
  request.mutable_spec()->mutable_gang()->set_devices_per_node(1);
  return request;
}

BenchClient::BenchClient(const LocalCenter& center)
    : token_(center.token()),
      stub_(v1::Client::NewStub(
          grpc::CreateChannel(center.address(), grpc::InsecureChannelCredentials()))) {}

void BenchClient::Authorize(grpc::ClientContext& context) const {
  context.AddMetadata("authorization", absl::StrCat("Bearer ", token_));
}

absl::StatusOr<uint64_t> BenchClient::Submit(const v1::SubmitJobRequest& request) const {
  grpc::ClientContext context;
  Authorize(context);
  v1::SubmitJobResponse response;
  RETURN_IF_ERROR(FromGrpcStatus(stub_->SubmitJob(&context, request, &response), context));
  return response.job_id();
}

absl::StatusOr<v1::WaitJobResponse> BenchClient::Wait(uint64_t job, v1::WaitJobRequest::Until until,
                                                      absl::Duration patience) const {
  grpc::ClientContext context;
  Authorize(context);
  v1::WaitJobRequest request;
  request.set_job_id(job);
  request.set_until(until);
  request.set_timeout_ms(static_cast<int32_t>(absl::ToInt64Milliseconds(patience)));
  v1::WaitJobResponse response;
  RETURN_IF_ERROR(FromGrpcStatus(stub_->WaitJob(&context, request, &response), context));
  return response;
}

absl::Status BenchClient::Await(uint64_t job, v1::WaitJobRequest::Until until) const {
  ASSIGN_OR_RETURN(const v1::WaitJobResponse response, Wait(job, until, kJobPatience));
  return response.done()
             ? absl::OkStatus()
             : absl::DeadlineExceededError(absl::StrCat("job ", job, " did not get there"));
}

absl::StatusOr<v1::Node> BenchClient::GetNode() const {
  grpc::ClientContext context;
  Authorize(context);
  v1::ListNodesResponse response;
  RETURN_IF_ERROR(FromGrpcStatus(stub_->ListNodes(&context, {}, &response), context));
  return response.nodes_size() > 0 ? absl::StatusOr<v1::Node>(response.nodes(0))
                                   : absl::NotFoundError("the center has no node");
}

}  // namespace berth
