#ifndef BERTH_TESTS_TESTING_RUNNING_SERVER_H_
#define BERTH_TESTS_TESTING_RUNNING_SERVER_H_

// A real scheduler on a free port with a temporary data folder, and clients for it.

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include "common/check.h"
#include "common/clock.h"
#include "common/grpc_status.h"
#include "proto/agent_api.grpc.pb.h"
#include "proto/client_api.grpc.pb.h"
#include "scheduler/server.h"
#include "tests/testing/temp_dir.h"
#include <sys/stat.h>

namespace berth {

// The machine's clocks, moved forward by hand.
class MovedClock : public Clock {
 public:
  absl::Time Now() const override { return system_.Now() + shift(); }
  absl::Duration SinceBoot() const override { return system_.SinceBoot() + shift(); }
  void Advance(absl::Duration step) { shift_ms_ += absl::ToInt64Milliseconds(step); }

 private:
  absl::Duration shift() const { return absl::Milliseconds(shift_ms_.load()); }
  SystemClock system_;
  std::atomic<int64_t> shift_ms_ = 0;
};

inline constexpr std::chrono::seconds kCallTimeout{20};

// One caller: a connection of its own and a token, which may be empty.
class TestClient {
 public:
  using Stub = v1::Client::Stub;

  TestClient(const std::string& target, std::string token) : token_(std::move(token)) {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    channel_ = grpc::CreateCustomChannel(target, grpc::InsecureChannelCredentials(), arguments);
    stub_ = v1::Client::NewStub(channel_);
  }

  // `method` is &Stub::GetJob and the like.
  template <typename Request, typename Response>
  absl::Status Call(grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*),
                    const Request& request, Response* response) {
    grpc::ClientContext context;
    Prepare(context);
    const grpc::Status status = (stub_.get()->*method)(&context, request, response);
    return FromGrpcStatus(status, context);
  }

  void Prepare(grpc::ClientContext& context) const {
    context.set_deadline(std::chrono::system_clock::now() + kCallTimeout);
    context.set_wait_for_ready(true);
    if (!token_.empty()) {
      context.AddMetadata("authorization", "Bearer " + token_);
    }
  }

  absl::StatusOr<uint64_t> Submit(const v1::SubmitJobRequest& request) {
    v1::SubmitJobResponse response;
    const absl::Status status = Call(&Stub::SubmitJob, request, &response);
    return status.ok() ? absl::StatusOr<uint64_t>(response.job_id()) : status;
  }

  absl::StatusOr<v1::Job> GetJob(uint64_t job_id) {
    v1::GetJobRequest request;
    request.set_job_id(job_id);
    v1::GetJobResponse response;
    const absl::Status status = Call(&Stub::GetJob, request, &response);
    return status.ok() ? absl::StatusOr<v1::Job>(response.job()) : status;
  }

  // The job when it has got there, or as it is after the timeout of one call.
  v1::Job Wait(uint64_t job_id, v1::WaitJobRequest::Until until) {
    v1::WaitJobRequest request;
    request.set_job_id(job_id);
    request.set_until(until);
    request.set_timeout_ms(15000);
    v1::WaitJobResponse response;
    const absl::Status status = Call(&Stub::WaitJob, request, &response);
    EXPECT_TRUE(status.ok()) << status;
    EXPECT_TRUE(response.done());
    return response.job();
  }

  Stub& stub() { return *stub_; }
  const std::shared_ptr<grpc::Channel>& channel() const { return channel_; }
  const std::string& token() const { return token_; }

 private:
  std::string token_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<Stub> stub_;
};

// A job of `nodes` nodes with `devices` devices each.
inline v1::SubmitJobRequest JobOf(int nodes, int devices, const std::string& name = "train") {
  v1::SubmitJobRequest request;
  v1::JobSpec& spec = *request.mutable_spec();
  spec.set_name(name);
  spec.mutable_gang()->set_nodes(nodes);
  spec.mutable_gang()->set_devices_per_node(devices);
  spec.add_command("/bin/true");
  return request;
}

class RunningServer {
 public:
  RunningServer() {
    // Once per process, as InitLog wants it.
    [[maybe_unused]] static const bool quiet = (InitLog("test", LogLevel::kError), true);
    options_.data_dir = dir_.File("data");
    Start();
  }
  ~RunningServer() { Stop(); }
  RunningServer(const RunningServer&) = delete;
  RunningServer& operator=(const RunningServer&) = delete;

  void Start() {
    auto server = Server::Start(options_, clock_);
    if (!server.ok()) {
      ADD_FAILURE() << server.status();
    }
    BERTH_CHECK(server.ok());
    server_ = *std::move(server);
    options_.listen = server_->address();  // the same port after a restart
  }
  void Stop() { server_.reset(); }
  void Restart() {
    Stop();
    Start();
  }

  MovedClock& clock() { return clock_; }
  const ServerOptions& options() const { return options_; }
  // For the next Start.
  ServerOptions& mutable_options() { return options_; }
  const std::string& address() const { return options_.listen; }
  std::string admin_socket() const { return options_.data_dir + "/admin.sock"; }

  TestClient Client(const std::string& token) const { return {address(), token}; }

  // An operator's token over the local socket; made once.
  const std::string& OperatorToken() {
    if (operator_token_.empty()) {
      auto stub = v1::LocalAdmin::NewStub(
          grpc::CreateChannel("unix:" + admin_socket(), grpc::InsecureChannelCredentials()));
      grpc::ClientContext context;
      context.set_deadline(std::chrono::system_clock::now() + kCallTimeout);
      v1::BootstrapResponse response;
      const grpc::Status status = stub->Bootstrap(&context, v1::BootstrapRequest(), &response);
      EXPECT_TRUE(status.ok()) << status.error_message();
      operator_token_ = response.secret();
    }
    return operator_token_;
  }
  TestClient Operator() { return Client(OperatorToken()); }

  void AddTenant(const std::string& name) {
    v1::AddTenantRequest request;
    request.set_name(name);
    v1::AddTenantResponse response;
    Must(&TestClient::Stub::AddTenant, request, &response);
  }

  // A user with a token of its own.
  std::string AddUser(const std::string& tenant, const std::string& name, v1::Role role) {
    v1::AddUserRequest request;
    request.set_name(name);
    request.set_tenant(tenant);
    request.set_role(role);
    v1::AddUserResponse response;
    Must(&TestClient::Stub::AddUser, request, &response);
    return AddToken(tenant, name).secret();
  }

  v1::CreateTokenResponse AddToken(const std::string& tenant, const std::string& user,
                                   int64_t lifetime_ms = 0) {
    v1::CreateTokenRequest request;
    request.set_tenant(tenant);
    request.set_user(user);
    request.set_lifetime_ms(lifetime_ms);
    v1::CreateTokenResponse response;
    Must(&TestClient::Stub::CreateToken, request, &response);
    return response;
  }

  std::string AddNodeToken(const std::string& node) {
    v1::CreateTokenRequest request;
    request.set_node(node);
    v1::CreateTokenResponse response;
    Must(&TestClient::Stub::CreateToken, request, &response);
    return response.secret();
  }

  // As the operator; the test fails if it does.
  template <typename Request, typename Response>
  void Must(grpc::Status (TestClient::Stub::*method)(grpc::ClientContext*, const Request&,
                                                     Response*),
            const Request& request, Response* response) {
    const absl::Status status = Operator().Call(method, request, response);
    EXPECT_TRUE(status.ok()) << status;
  }

  void SetQuota(const std::string& tenant, const std::string& device_class, int64_t entitlement) {
    v1::SetQuotaRequest request;
    request.set_tenant(tenant);
    request.set_device_class(device_class);
    request.mutable_limits()->set_entitlement(entitlement);
    request.mutable_limits()->set_limit(entitlement);
    request.set_allow_oversell(true);  // the nodes may come later
    v1::SetQuotaResponse response;
    Must(&TestClient::Stub::SetQuota, request, &response);
  }

 private:
  TempDir dir_;
  MovedClock clock_;
  ServerOptions options_;
  std::unique_ptr<Server> server_;
  std::string operator_token_;
};

}  // namespace berth

#endif  // BERTH_TESTS_TESTING_RUNNING_SERVER_H_
