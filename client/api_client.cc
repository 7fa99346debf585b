#include "client/api_client.h"

#include <algorithm>
#include <fstream>
#include <sstream>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include <grpcpp/grpcpp.h>

#include "client/api_client_streams.h"
#include "client/unreachable.h"
#include "common/backoff.h"
#include "common/error_detail.h"
#include "common/grpc_status.h"
#include "common/status_macros.h"
#include "proto/client_api.grpc.pb.h"
#include <grpc/support/log.h>
#include <sys/stat.h>

namespace berth {
namespace {

constexpr int kMessageBytesMax = 64 << 20;
constexpr int kStreamBytesMax = 256 << 10;
constexpr absl::Duration kAttemptMin = absl::Milliseconds(200);

bool IsLoopback(absl::string_view server) {
  const absl::string_view host = server.substr(0, server.rfind(':'));
  return host == "localhost" || host == "[::1]" || host.substr(0, 4) == "127.";
}

// An IPv4 literal needs no resolver.
std::string Target(const std::string& server) {
  const bool is_literal = std::all_of(server.begin(), server.end(), [](char c) {
    return absl::ascii_isdigit(static_cast<unsigned char>(c)) || c == '.' || c == ':';
  });
  return is_literal ? absl::StrCat("ipv4:", server) : server;
}

grpc::ChannelArguments ChannelSettings() {
  grpc::ChannelArguments settings;
  settings.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 50);
  // Despite its name, how long a connection may take to come about.
  settings.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 5000);
  settings.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 1000);
  settings.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  // What a stream holds that is not read: hundreds of logs are read in step.
  settings.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);
  settings.SetInt(GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, kStreamBytesMax);
  settings.SetMaxReceiveMessageSize(kMessageBytesMax);
  settings.SetMaxSendMessageSize(kMessageBytesMax);
  return settings;
}

// gRPC's own messages are no output of this program.
void Silence(gpr_log_func_args*) {}

absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> MakeCredentials(
    const Connection& connection) {
  if (connection.ca.empty() && IsLoopback(connection.server)) {
    return grpc::InsecureChannelCredentials();
  }
  grpc::SslCredentialsOptions options;
  if (!connection.ca.empty()) {
    std::ifstream file(connection.ca);
    std::ostringstream text;
    text << file.rdbuf();
    options.pem_root_certs = text.str();
    if (!file || !absl::StrContains(options.pem_root_certs, "BEGIN CERTIFICATE")) {
      return MakeError(absl::StatusCode::kInvalidArgument,
                       {.code = "B1103",
                        .message = absl::StrCat("no certificate in the CA file ", connection.ca),
                        .why = "",
                        .fix = "ask the operator of the center for the CA certificate (PEM)"});
    }
  }
  return grpc::SslCredentials(options);
}

}  // namespace

struct ApiClient::Wire {
  std::string server;
  std::string authorization;
  std::shared_ptr<grpc::Channel> channel;
  std::unique_ptr<v1::Client::Stub> stub;

  void Pause(absl::Duration length) const {
    if (channel->GetState(true) == GRPC_CHANNEL_READY) {
      absl::SleepFor(length);
    } else {
      channel->WaitForConnected(absl::ToChronoTime(absl::Now() + length));
    }
  }

  void Prepare(grpc::ClientContext& context) const {
    context.AddMetadata("authorization", authorization);
  }

  template <typename Request, typename Response>
  using Method = grpc::Status (v1::Client::Stub::*)(grpc::ClientContext*, const Request&,
                                                    Response*);

  template <typename Request, typename Response>
  absl::StatusOr<Response> Call(Method<Request, Response> method, const Request& request,
                                const Patience& patience) const {
    const absl::Time start = absl::Now();
    const absl::Time give_up = start + patience.total;
    Backoff backoff(absl::Milliseconds(50), absl::Seconds(1),
                    static_cast<uint64_t>(absl::ToUnixNanos(start)));
    while (true) {
      grpc::ClientContext context;
      Prepare(context);
      const bool one_try = patience.total == absl::ZeroDuration();
      const absl::Duration left = std::max(give_up - absl::Now(), kAttemptMin);
      context.set_deadline(absl::ToChronoTime(
          absl::Now() + (one_try ? patience.attempt : std::min(patience.attempt, left))));
      Response response;
      const grpc::Status result = (stub.get()->*method)(&context, request, &response);
      if (result.ok()) {
        return response;
      }
      const absl::Status status = FromGrpcStatus(result, context);
      if (!IsUnreachable(status)) {
        return status;
      }
      const absl::Duration wait = backoff.Next();
      if (absl::Now() + wait >= give_up) {
        return Unreachable(status, server, absl::Now() - start);
      }
      Pause(wait);
    }
  }
};

absl::StatusOr<std::unique_ptr<ApiClient>> ApiClient::Open(const Connection& connection) {
  gpr_set_log_function(&Silence);
  ASSIGN_OR_RETURN(const std::shared_ptr<grpc::ChannelCredentials> credentials,
                   MakeCredentials(connection));
  auto wire = std::make_unique<Wire>();
  wire->server = connection.server;
  wire->authorization = absl::StrCat("Bearer ", connection.token);
  wire->channel =
      grpc::CreateCustomChannel(Target(connection.server), credentials, ChannelSettings());
  wire->stub = v1::Client::NewStub(wire->channel);
  return std::unique_ptr<ApiClient>(new ApiClient(std::move(wire)));
}

ApiClient::ApiClient(std::unique_ptr<Wire> wire) : wire_(std::move(wire)) {}
ApiClient::~ApiClient() = default;

#define BERTH_DEFINE_CALL(Name)                                                                 \
  absl::StatusOr<v1::Name##Response> ApiClient::Name(const v1::Name##Request& request,          \
                                                     const Patience& patience) {                \
    return wire_->Call<v1::Name##Request, v1::Name##Response>(&v1::Client::Stub::Name, request, \
                                                              patience);                        \
  }
BERTH_CLIENT_CALLS(BERTH_DEFINE_CALL)
#undef BERTH_DEFINE_CALL

void ApiClient::Pause(absl::Duration length) {
  wire_->Pause(length);
}

absl::Status ApiClient::StreamLogs(const v1::StreamLogsRequest& request, absl::Time deadline,
                                   const std::function<void(const v1::StreamLogsResponse&)>& take) {
  grpc::ClientContext context;
  wire_->Prepare(context);
  if (deadline != absl::InfiniteFuture()) {
    context.set_deadline(absl::ToChronoTime(deadline));
  }
  const auto reader = wire_->stub->StreamLogs(&context, request);
  v1::StreamLogsResponse piece;
  while (reader->Read(&piece)) {
    take(piece);
  }
  const absl::Status status = FromGrpcStatus(reader->Finish(), context);
  return IsUnreachable(status) ? Unreachable(status, wire_->server, absl::ZeroDuration()) : status;
}

std::unique_ptr<LogStreams> ApiClient::OpenLogs() {
  return OpenLogStreams(*wire_->stub, wire_->server, wire_->authorization);
}

std::unique_ptr<JobChannel> ApiClient::EnterJob(const v1::EnterJobRequest& request) {
  auto channel = OpenJobChannel(*wire_->stub, wire_->server, wire_->authorization);
  v1::ChannelInput first;
  *first.mutable_enter() = request;
  channel->Write(first);
  return channel;
}

std::unique_ptr<WorkdirChannel> ApiClient::UploadWorkdir() {
  return OpenWorkdirChannel(*wire_->stub, wire_->server, wire_->authorization);
}

namespace {

absl::StatusOr<std::unique_ptr<v1::LocalAdmin::Stub>> OpenLocally(absl::string_view socket) {
  gpr_set_log_function(&Silence);
  struct stat facts {};
  if (stat(std::string(socket).c_str(), &facts) != 0 || !S_ISSOCK(facts.st_mode)) {
    return MakeError(
        absl::StatusCode::kUnavailable,
        {.code = kUnreachable,
         .message = absl::StrCat("there is no scheduler behind ", socket),
         .why = "",
         .fix = "run this on the scheduler's machine, as root or as its user, with the "
                "admin_socket of berthd.toml"});
  }
  return v1::LocalAdmin::NewStub(grpc::CreateCustomChannel(
      absl::StrCat("unix:", socket), grpc::InsecureChannelCredentials(), ChannelSettings()));
}

}  // namespace

#define BERTH_DEFINE_LOCAL_CALL(Name)                                                              \
  absl::StatusOr<v1::Name##Response> CallLocally(                                                  \
      absl::string_view socket, const v1::Name##Request& request, absl::Duration timeout) {        \
    ASSIGN_OR_RETURN(const auto stub, OpenLocally(socket));                                        \
    grpc::ClientContext context;                                                                   \
    context.set_deadline(absl::ToChronoTime(absl::Now() + timeout));                               \
    v1::Name##Response response;                                                                   \
    const absl::Status status = FromGrpcStatus(stub->Name(&context, request, &response), context); \
    if (status.ok()) {                                                                             \
      return response;                                                                             \
    }                                                                                              \
    return IsUnreachable(status) ? Unreachable(status, socket, timeout) : status;                  \
  }
BERTH_LOCAL_CALLS(BERTH_DEFINE_LOCAL_CALL)
#undef BERTH_DEFINE_LOCAL_CALL

}  // namespace berth
