#include "scheduler/server.h"

#include <cerrno>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <sstream>
#include <system_error>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include <grpcpp/grpcpp.h>
#include <grpcpp/security/server_credentials.h>

#include "common/error_detail.h"
#include "common/status_macros.h"
#include "scheduler/rpc/agent_service.h"
#include "scheduler/rpc/auth.h"
#include "scheduler/rpc/background_worker.h"
#include "scheduler/rpc/call.h"
#include "scheduler/rpc/channel_relay.h"
#include "scheduler/rpc/client_service.h"
#include "scheduler/rpc/job_tokens.h"
#include "scheduler/rpc/local_admin.h"
#include "scheduler/rpc/log_relay.h"
#include "scheduler/rpc/protocol_version.h"
#include "scheduler/rpc/sample_board.h"
#include "scheduler/rpc/upload_desk.h"
#include "scheduler/rpc/upload_sweep.h"
#include "scheduler/server_key.h"
#include "scheduler/store/schema.h"
#include "scheduler/store/store.h"
#include "scheduler/upload_backup.h"
#include <grpc/support/log.h>
#include <sys/stat.h>
#include <unistd.h>

namespace berth {
namespace {

constexpr int kReceiveBytesMax = 4 << 20;
constexpr int kStreamBytesMax = 256 << 10;
constexpr int kMetadataBytesMax = 8 << 10;
constexpr int kConcurrentStreamsMax = 1000;  // per connection
constexpr int kKeepaliveMs = 20 * 1000;
constexpr int kKeepaliveTimeoutMs = 10 * 1000;
constexpr int kClientPingIntervalMinMs = 5 * 1000;
// How long calls may take to notice a stop before they are cancelled.
constexpr std::chrono::milliseconds kStopGrace{1000};

absl::Status CannotStart(absl::string_view code, absl::string_view message, absl::string_view why,
                         absl::string_view fix) {
  return MakeError(absl::StatusCode::kFailedPrecondition,
                   {.code = code, .message = message, .why = why, .fix = fix});
}

absl::Status PrepareDataDir(const std::string& path) {
  std::error_code error;
  const bool existed = std::filesystem::exists(path, error);
  std::filesystem::create_directories(path, error);
  if (!error && !existed && chmod(path.c_str(), 0700) != 0) {
    error = std::error_code(errno, std::generic_category());
  }
  if (error) {
    return CannotStart("B8002", absl::StrCat("cannot make the data folder ", path), error.message(),
                       "check data_dir and the rights of its parent folder");
  }
  struct stat facts {};
  if (stat(path.c_str(), &facts) != 0 || !S_ISDIR(facts.st_mode) || facts.st_uid != geteuid() ||
      (facts.st_mode & 077) != 0) {
    return CannotStart(
        "B8003", absl::StrFormat("the data folder %s has mode %04o", path, facts.st_mode & 07777),
        "it holds every tenant's jobs: it must belong to the scheduler's user and be closed to all "
        "others",
        absl::StrCat("chmod 700 ", path));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> ReadWholeFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  if (!file || text.str().empty()) {
    return CannotStart("B8004", absl::StrCat("cannot read ", path),
                       std::generic_category().message(errno), "check [tls] certificate and key");
  }
  return text.str();
}

absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> MakeCredentials(
    const ServerOptions& options) {
  if (options.tls_certificate.empty()) {
    return grpc::InsecureServerCredentials();
  }
  struct stat facts {};
  if (stat(options.tls_key.c_str(), &facts) == 0 && (facts.st_mode & 077) != 0) {
    return CannotStart("B8005",
                       absl::StrFormat("others may read the private key %s (mode %04o)",
                                       options.tls_key, facts.st_mode & 07777),
                       "who has the key can pose as this scheduler",
                       absl::StrCat("chmod 600 ", options.tls_key));
  }
  grpc::SslServerCredentialsOptions tls;
  grpc::SslServerCredentialsOptions::PemKeyCertPair pair;
  ASSIGN_OR_RETURN(pair.cert_chain, ReadWholeFile(options.tls_certificate));
  ASSIGN_OR_RETURN(pair.private_key, ReadWholeFile(options.tls_key));
  tls.pem_key_cert_pairs.push_back(std::move(pair));
  return grpc::SslServerCredentials(tls);
}

void SetLimits(grpc::ServerBuilder& builder) {
  builder.SetMaxReceiveMessageSize(kReceiveBytesMax);
  builder.AddChannelArgument(GRPC_ARG_MAX_METADATA_SIZE, kMetadataBytesMax);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, kConcurrentStreamsMax);
  // What a stream holds that nobody takes: there may be hundreds of logs whose readers stand still.
  builder.AddChannelArgument(GRPC_ARG_HTTP2_BDP_PROBE, 0);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, kStreamBytesMax);
  // Two schedulers must not share a port silently.
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  // A peer that vanished without a word is noticed, with or without calls.
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveMs);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveTimeoutMs);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
                             kClientPingIntervalMinMs);
}

ControlLoopOptions LoopOptions(const ServerOptions& options) {
  ControlLoopOptions loop = options.loop;
  if (options.back_up_uploads) {
    loop.save_beside_backup =
        [folder = UploadsFolder(options)](
            const std::string& backup, absl::Time taken_at,
            const std::function<bool()>& stopping) -> absl::StatusOr<std::string> {
      const std::string path = UploadBackupPath(backup);
      ASSIGN_OR_RETURN(const UploadBackupFacts facts,
                       SaveUploads(folder, path, taken_at, stopping));
      LogInfo("uploads of the backup saved",
              {
                  {"path",    path            },
                  {"uploads", facts.uploads   },
                  {"bytes",   facts.size_bytes}
      });
      return path;
    };
  }
  return loop;
}

// gRPC's own lines are for its developers: what matters comes back as a status.
void LogForGrpc(gpr_log_func_args* arguments) {
  LogDebug("grpc", {
                       {"text", arguments->message}
  });
}

absl::Status WritePortFile(const std::string& path, const std::string& address) {
  if (path.empty()) {
    return absl::OkStatus();
  }
  const std::string temporary = absl::StrCat(path, ".new");
  std::ofstream file(temporary, std::ios::trunc);
  file << address << "\n";
  file.close();
  if (!file || rename(temporary.c_str(), path.c_str()) != 0) {
    return CannotStart("B8006", absl::StrCat("cannot write ", path),
                       std::generic_category().message(errno), "check port_file");
  }
  return absl::OkStatus();
}

}  // namespace

// In the order of construction: what comes later uses what comes before.
struct Server::Parts {
  Parts(const ServerOptions& options_in, std::unique_ptr<Store> store, Secret key,
        const Clock& clock)
      : options(options_in),
        job_tokens(std::move(key), store->cluster_id()),
        authenticator(clock, job_tokens),
        uploads(UploadsFolder(options), options.uploads, clock),
        loop(std::move(store), options.policy, LoopOptions(options), clock),
        router(loop, authenticator),
        sweep(loop, uploads),
        samples(clock, options.policy.heartbeat_interval),
        agent_service(router, relay, channels, uploads, samples),
        client_service(router,
                       {.relay = &relay,
                        .open =
                            [this](NodeId node, const v1::OpenLog& message) {
                              return agent_service.OpenLog(node, message);
                            }},
                       {.relay = &channels,
                        .open =
                            [this](NodeId node, const v1::OpenChannel& message) {
                              return agent_service.OpenChannel(node, message);
                            }},
                       {.worker = worker, .uploads = uploads, .samples = samples}),
        local_admin(loop,
                    {.cluster_name = options.cluster_name, .schema_version = SchemaVersion()}) {}

  absl::Status Recheck(absl::string_view token_id) const { return authenticator.Recheck(token_id); }

  // On the loop's thread: what was refused just now must not go on.
  void SetAccess(std::shared_ptr<const AccessDirectory> directory) {
    authenticator.SetDirectory(std::move(directory));
    const auto check = std::bind_front(&Parts::Recheck, this);
    agent_service.CloseRefused(check);
    relay.CloseRefused(check);
    channels.CloseRefused(check);
  }
  void NoteAllocations(const std::vector<Allocation>& changed, const Cluster& cluster) {
    if (job_tokens.Note(changed, cluster)) {
      channels.CloseRefused(std::bind_front(&Parts::Recheck, this));
    }
  }

  absl::Status Listen();
  absl::Status ListenLocally();
  void CloseServers();

  const ServerOptions options;
  JobTokens job_tokens;
  Authenticator authenticator;
  LogRelay relay;
  ChannelRelay channels;
  UploadDesk uploads;
  ControlLoop loop;
  CallRouter router;
  UploadSweep sweep;
  BackgroundWorker worker;
  SampleBoard samples;
  AgentService agent_service;
  ClientService client_service;
  LocalAdmin local_admin;
  std::string address;
  std::string admin_socket;
  std::unique_ptr<grpc::Server> server;
  std::unique_ptr<grpc::Server> admin_server;
};

absl::Status Server::Parts::Listen() {
  ASSIGN_OR_RETURN(const auto credentials, MakeCredentials(options));
  grpc::ServerBuilder builder;
  SetLimits(builder);
  int port = 0;
  builder.AddListeningPort(options.listen, credentials, &port);
  builder.RegisterService(&client_service);
  builder.RegisterService(&agent_service);
  server = builder.BuildAndStart();
  if (server == nullptr || port == 0) {
    return CannotStart("B8007", absl::StrCat("cannot listen on ", options.listen),
                       "the address is in use, or not of this machine, or the certificate does not "
                       "fit its key",
                       "check listen and [tls]; is another scheduler running?");
  }
  address = absl::StrCat(options.listen.substr(0, options.listen.find_last_of(':')), ":", port);
  return absl::OkStatus();
}

absl::Status Server::Parts::ListenLocally() {
  admin_socket = options.admin_socket.empty() ? absl::StrCat(options.data_dir, "/admin.sock")
                                              : options.admin_socket;
  RETURN_IF_ERROR(CheckSocketFolder(admin_socket));
  grpc::ServerBuilder builder;
  SetLimits(builder);
  builder.AddListeningPort(absl::StrCat("unix:", admin_socket), grpc::InsecureServerCredentials());
  builder.RegisterService(&local_admin);
  admin_server = builder.BuildAndStart();
  if (admin_server == nullptr || chmod(admin_socket.c_str(), 0600) != 0) {
    return CannotStart("B8008", absl::StrCat("cannot make the admin socket ", admin_socket), "",
                       "check admin_socket and what is at its path");
  }
  return absl::OkStatus();
}

void Server::Parts::CloseServers() {
  const auto deadline = std::chrono::system_clock::now() + kStopGrace;
  for (grpc::Server* open : {server.get(), admin_server.get()}) {
    if (open != nullptr) {
      open->Shutdown(deadline);
    }
  }
}

Server::Server(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

Server::~Server() {
  Stop();
}

absl::StatusOr<std::unique_ptr<Server>> Server::Start(const ServerOptions& options,
                                                      const Clock& clock) {
  gpr_set_log_function(&LogForGrpc);
  RETURN_IF_ERROR(CheckServerOptions(options));
  RETURN_IF_ERROR(PrepareDataDir(options.data_dir));
  StoreOptions store_options;
  store_options.path = absl::StrCat(options.data_dir, "/berth.db");
  store_options.open_in_two_steps = true;  // the control loop finishes it
  // The store's lock keeps a second scheduler away from the sockets, too.
  ASSIGN_OR_RETURN(std::unique_ptr<Store> store, Store::Open(store_options));
  if (!options.port_file.empty()) {
    unlink(options.port_file.c_str());
  }
  ASSIGN_OR_RETURN(Secret key, LoadServerKey(options.data_dir));
  auto parts = std::make_unique<Parts>(options, std::move(store), std::move(key), clock);
  Parts* const raw = parts.get();
  std::unique_ptr<Server> server(new Server(std::move(parts)));
  RETURN_IF_ERROR(raw->uploads.Open());
  RETURN_IF_ERROR(raw->loop.Start(std::bind_front(&Parts::SetAccess, raw),
                                  std::bind_front(&Parts::NoteAllocations, raw)));
  RETURN_IF_ERROR(raw->ListenLocally());
  RETURN_IF_ERROR(raw->Listen());
  raw->sweep.Start();
  RETURN_IF_ERROR(WritePortFile(options.port_file, raw->address));
  LogInfo("scheduler serving", {
                                   {"address", raw->address           },
                                   {"admin",   raw->admin_socket      },
                                   {"cluster", raw->loop.cluster_id() },
                                   {"epoch",   raw->loop.sched_epoch()}
  });
  return server;
}

void Server::Stop() {
  if (parts_ == nullptr) {
    return;
  }
  // The port closes before the calls are answered: a caller that tries again at once must find no
  // port, not a call that ends half-way. Shutdown waits for the calls, hence the thread.
  std::thread closing([this] { parts_->CloseServers(); });
  parts_->sweep.Stop();
  parts_->agent_service.Stop();
  parts_->loop.Stop();
  parts_->worker.Stop();
  parts_->uploads.Stop();
  const auto stopping = [](absl::string_view) {
    return absl::UnavailableError("the scheduler is stopping");
  };
  parts_->relay.CloseRefused(stopping);
  parts_->channels.CloseRefused(stopping);
  closing.join();
  parts_.reset();
}

std::string UploadsFolder(const ServerOptions& options) {
  return absl::StrCat(options.data_dir, "/uploads");
}

const char* Server::Version() {
  return kServerVersion;
}

const std::string& Server::address() const {
  return parts_->address;
}

const std::string& Server::admin_socket() const {
  return parts_->admin_socket;
}

}  // namespace berth
