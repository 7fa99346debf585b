#include "agent/session.h"

#include <deque>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include <grpcpp/grpcpp.h>

#include "agent/job_channel.h"
#include "agent/log_upload.h"
#include "agent/workdir_call.h"
#include "common/grpc_status.h"
#include "proto/agent_api.grpc.pb.h"

namespace berth {
namespace {

constexpr size_t kQueueMax = 100000;

class StreamSession final : public Session,
                            public grpc::ClientBidiReactor<v1::AgentMessage, v1::SchedulerMessage>,
                            public std::enable_shared_from_this<StreamSession> {
 public:
  explicit StreamSession(Listener listener) : listener_(std::move(listener)) {}

  void Begin(v1::Agent::Stub& stub, const std::string& token) {
    self_ = shared_from_this();
    context_.AddMetadata("authorization", absl::StrCat("Bearer ", token));
    stub.async()->Session(&context_, this);
    // Writes come from the agent's thread, outside the reactions: hold the stream until Close.
    AddHold();
    StartRead(&incoming_);
    StartCall();
  }

  void Send(v1::AgentMessage message) override {
    absl::MutexLock lock(&mu_);
    if (closed_) {
      return;
    }
    queue_.push_back(std::move(message));
    if (queue_.size() > kQueueMax) {
      context_.TryCancel();
    } else if (!writing_) {
      writing_ = true;
      StartWrite(&queue_.front());
    }
  }

  void Close() override {
    context_.TryCancel();
    EndHold();
  }

  void OnReadDone(bool ok) override {
    if (!ok) {
      EndHold();
      return;
    }
    listener_.on_message(std::move(incoming_));
    incoming_.Clear();
    StartRead(&incoming_);
  }

  void OnWriteDone(bool ok) override {
    absl::MutexLock lock(&mu_);
    queue_.pop_front();
    if (!ok || closed_) {
      closed_ = true;
      queue_.clear();
    }
    writing_ = !queue_.empty();
    if (writing_) {
      StartWrite(&queue_.front());
    }
  }

  void OnDone(const grpc::Status& status) override {
    listener_.on_closed(FromGrpcStatus(status, context_));
    self_.reset();
  }

 private:
  // Once: no more writes are begun.
  void EndHold() {
    {
      absl::MutexLock lock(&mu_);
      closed_ = true;
      if (!std::exchange(holding_, false)) {
        return;
      }
    }
    context_.TryCancel();
    RemoveHold();
  }

  const Listener listener_;
  grpc::ClientContext context_;
  v1::SchedulerMessage incoming_;
  std::shared_ptr<StreamSession> self_;  // until OnDone
  absl::Mutex mu_;
  std::deque<v1::AgentMessage> queue_ ABSL_GUARDED_BY(mu_);  // the front is being written
  bool writing_ ABSL_GUARDED_BY(mu_) = false;
  bool closed_ ABSL_GUARDED_BY(mu_) = false;
  bool holding_ ABSL_GUARDED_BY(mu_) = true;
};

}  // namespace

class SchedulerChannel::Stubs {
 public:
  explicit Stubs(const SchedulerAddress& address) : token(address.token) {
    std::shared_ptr<grpc::ChannelCredentials> credentials = grpc::InsecureChannelCredentials();
    if (!address.ca.empty()) {
      grpc::SslCredentialsOptions options;
      options.pem_root_certs = address.ca;
      credentials = grpc::SslCredentials(options);
    }
    grpc::ChannelArguments arguments;
    // Notice a scheduler that vanished without a word, and come back soon after it does.
    arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, 20000);
    arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 10000);
    arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
    arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 100);
    arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 2000);
    arguments.SetMaxReceiveMessageSize(64 << 20);
    stub = v1::Agent::NewStub(grpc::CreateCustomChannel(address.server, credentials, arguments));
  }
  std::string token;
  std::shared_ptr<v1::Agent::Stub> stub;
  JobChannels channels;
};

SchedulerChannel::SchedulerChannel(const SchedulerAddress& address)
    : stubs_(std::make_shared<Stubs>(address)) {}

SchedulerChannel::~SchedulerChannel() = default;

std::shared_ptr<Session> SchedulerChannel::OpenSession(Session::Listener listener) {
  auto session = std::make_shared<StreamSession>(std::move(listener));
  session->Begin(*stubs_->stub, stubs_->token);
  return session;
}

void SchedulerChannel::UploadLog(const v1::OpenLog& request, absl::StatusOr<LogReader> reader) {
  StartLogUpload(*stubs_->stub, stubs_->token, request, std::move(reader));
}

void SchedulerChannel::EnterTask(const v1::OpenChannel& request,
                                 absl::StatusOr<EntryTarget> target) {
  stubs_->channels.Open(*stubs_->stub, stubs_->token, request, std::move(target));
}

std::shared_ptr<WorkdirFetch> SchedulerChannel::FetchWorkdir(WorkdirOrder order,
                                                             std::shared_ptr<WorkdirCache> cache) {
  return MakeWorkdirCall(stubs_->stub, std::move(cache), stubs_->token, std::move(order));
}

void SchedulerChannel::CloseChannels() {
  stubs_->channels.Close();
}

}  // namespace berth
