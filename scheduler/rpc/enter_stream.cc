#include "scheduler/rpc/enter_stream.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include <grpcpp/alarm.h>

#include "common/error_detail.h"
#include "common/status_macros.h"
#include "scheduler/rpc/channel_search.h"
#include "scheduler/rpc/channel_stream.h"
#include "scheduler/rpc/permissions.h"

namespace berth {
namespace {

// How long an agent may take to dial back.
constexpr absl::Duration kOpenTimeout = absl::Seconds(10);
// How often a channel is looked at, for its token's expiry and for an agent that does not come.
constexpr std::chrono::milliseconds kLook{500};

absl::Status Unreachable(absl::string_view code, absl::string_view message) {
  return WithDetail(absl::UnavailableError(message),
                    {.code = std::string(code),
                     .why = {"a job is entered by way of its node's agent"},
                     .fix = {"try again when the node is back: berth nodes"},
                     .retryable = true});
}

std::string AuditName(const v1::EnterJobRequest& request) {
  return absl::StrCat("job ", request.job_id(), " rank ", std::max(request.rank(), 0),
                      request.has_port()    ? absl::StrCat(" port ", request.port())
                      : request.has_input() ? std::string(" input")
                                            : std::string(" command"));
}

class EnterStream final : public ChannelStream<v1::ChannelInput, v1::ChannelOutput> {
 public:
  EnterStream(grpc::CallbackServerContext* context, Principal principal, const CallRouter& router,
              const JobEntry& entry)
      : ChannelStream(context), principal_(std::move(principal)), router_(router), entry_(entry) {}

  // As for any call: the client has gone.
  void OnCancel() override {
    std::shared_ptr<Channel> channel;
    {
      absl::MutexLock lock(&entry_mu_);
      cancelled_ = true;
      channel = channel_;
    }
    if (channel != nullptr) {
      channel->End(absl::CancelledError("the client has gone"));
    }
  }

 private:
  std::shared_ptr<EnterStream> Self() {
    return std::static_pointer_cast<EnterStream>(shared_from_this());
  }

  void OnFirst(const v1::ChannelInput& message) override {
    absl::Status status = CheckEnterRequest(message.enter());
    auto channel = entry_.relay->Add(principal_.actor.token_id);
    if (!status.ok() || !channel.ok()) {
      if (channel.ok()) {
        entry_.relay->Remove((*channel)->id());
      }
      Refuse(status.ok() ? channel.status() : status);
      return;
    }
    request_ = message.enter();
    began_ = absl::Now();
    bool cancelled = false;
    {
      absl::MutexLock lock(&entry_mu_);
      channel_ = *channel;
      cancelled = cancelled_;
    }
    if (cancelled) {
      channel_->End(absl::CancelledError("the client has gone"));
    }
    router_.loop().PostRead([self = Self(), pending = Pending()](const ReadView& view) {
      self->Audit(self->FindPlace(view), pending);
    });
    LookLater();
    Write(&channel_->from_job());
    Read(&channel_->to_job());
  }

  absl::StatusOr<LogPlace> FindPlace(const ReadView& view) const {
    RETURN_IF_ERROR(CheckOwnJob(principal_, JobId(request_.job_id())));
    return FindChannelPlace(view, principal_.actor, request_);
  }

  bool OnMessage(const v1::ChannelInput& message) override {
    const absl::Status status = CheckInput(message);
    if (!status.ok()) {
      channel_->End(status);
    }
    return status.ok();
  }

  void OnReadsEnded() override {
    if (channel_ == nullptr) {
      Refuse(absl::CancelledError("the client says nothing"));
    }
  }

  void OnOver() override {
    if (channel_ != nullptr) {
      channel_->End(absl::CancelledError("the client has gone"));
      entry_.relay->Remove(channel_->id());
    }
    absl::MutexLock lock(&entry_mu_);
    over_ = true;
    alarm_.Cancel();
  }

  // Shared by the closures that wait for the loop; if it drops them all, the client is told.
  std::shared_ptr<void> Pending() {
    return {nullptr, [channel = channel_](void*) {
              if (!channel->is_expected()) {
                channel->End(
                    WithDetail(absl::UnavailableError("the scheduler is overloaded or stopping"),
                               {.code = "B8102",
                                .why = {},
                                .fix = {"try again in a moment; running jobs are not affected"},
                                .retryable = true}));
              }
            }};
  }

  // Who enters what is on record before anything of it happens; so is who was refused.
  void Audit(absl::StatusOr<LogPlace> place, std::shared_ptr<void> pending) {
    if (!place.ok() && !absl::IsPermissionDenied(place.status())) {
      channel_->End(place.status());
      return;
    }
    AuditContext audit = AuditOf(*call(), "Client.EnterJob", AuditName(request_), request_);
    const absl::Status decision = place.status();
    router_.loop().PostAudit(
        {principal_.actor, std::move(audit)}, decision,
        [self = Self(), place = std::move(place), pending](const absl::Status& durable) {
          if (!durable.ok() || !place.ok()) {
            self->channel_->End(place.ok() ? durable : place.status());
          } else {
            self->AskAgent(*place);
          }
        });
  }

  void AskAgent(const LogPlace& place) {
    v1::OpenChannel message;
    message.set_channel_id(channel_->id());
    message.set_allocation_id(place.allocation.value());
    *message.mutable_request() = request_;
    message.mutable_request()->set_rank(place.rank);
    channel_->Expect(place.node.id, place.node.name);
    if (const absl::Status status = entry_.open(place.node.id, message); !status.ok()) {
      channel_->End(
          Unreachable("B5303", absl::StrCat("node ", place.node.name, " is not connected")));
    }
  }

  void LookLater() {
    absl::MutexLock lock(&entry_mu_);
    if (!over_) {
      alarm_.Set(std::chrono::system_clock::now() + kLook, [self = Self()](bool expired) {
        if (expired) {
          self->Look();
        }
      });
    }
  }

  void Look() {
    const absl::Status token = router_.authenticator().Recheck(channel_->token_id());
    if (!token.ok()) {
      channel_->End(token);
    } else if (!channel_->is_open() && absl::Now() - began_ > kOpenTimeout) {
      channel_->End(Unreachable("B5303", "the job's node does not answer"));
    }
    LookLater();
  }

  const Principal principal_;
  const CallRouter& router_;
  const JobEntry& entry_;
  // From the first message on; the channel is set under the mutex for OnCancel's sake.
  v1::EnterJobRequest request_;
  std::shared_ptr<Channel> channel_;
  absl::Time began_;

  absl::Mutex entry_mu_;
  bool cancelled_ ABSL_GUARDED_BY(entry_mu_) = false;
  bool over_ ABSL_GUARDED_BY(entry_mu_) = false;
  grpc::Alarm alarm_;
};

class AgentChannel final : public ChannelStream<v1::ChannelOutput, v1::ChannelInput> {
 public:
  AgentChannel(grpc::CallbackServerContext* context, Actor actor, ChannelRelay& relay)
      : ChannelStream(context), actor_(std::move(actor)), relay_(relay) {}

 private:
  void OnFirst(const v1::ChannelOutput& message) override {
    const auto channel = relay_.Find(message.channel_id());
    // TryCancel under the channel's lock: the context lives until OnOver released the channel.
    if (channel == nullptr ||
        !channel->Open(actor_.node, actor_.token_id, [this] { call()->TryCancel(); })) {
      Refuse(absl::NotFoundError("nobody waits for this channel"));
      return;
    }
    channel_ = channel;
    Write(&channel_->to_job());
    Read(&channel_->from_job());
  }

  bool OnMessage(const v1::ChannelOutput& message) override {
    if (message.has_end()) {
      channel_->from_job().Push(message, [] {});
      channel_->EndWell();
    }
    return !message.has_end();
  }

  void OnReadsEnded() override {
    if (channel_ == nullptr) {
      Refuse(absl::CancelledError("the agent says nothing"));
      return;
    }
    channel_->Release();
    channel_->End(Unreachable("B5304", "the node that the job runs on has gone"));
  }

  void OnOver() override {
    if (channel_ != nullptr) {
      channel_->Release();
    }
  }

  const Actor actor_;
  ChannelRelay& relay_;
  std::shared_ptr<Channel> channel_;  // from the first message on
};

// A call that is refused before it is read.
template <typename In, typename Out>
class RefusedStream final : public grpc::ServerBidiReactor<In, Out> {
 public:
  explicit RefusedStream(const grpc::Status& status) { this->Finish(status); }
  void OnDone() override { delete this; }
};

}  // namespace

grpc::ServerBidiReactor<v1::ChannelInput, v1::ChannelOutput>* StartEnterStream(
    grpc::CallbackServerContext* context, const CallRouter& router, const JobEntry& entry) {
  auto principal = router.Admit(*context, "Client.EnterJob");
  if (!principal.ok()) {
    return new RefusedStream<v1::ChannelInput, v1::ChannelOutput>(
        ToGrpcStatus(principal.status(), context));
  }
  const auto stream = std::make_shared<EnterStream>(context, *std::move(principal), router, entry);
  stream->Start();
  return stream.get();
}

grpc::ServerBidiReactor<v1::ChannelOutput, v1::ChannelInput>* StartAgentChannel(
    grpc::CallbackServerContext* context, const CallRouter& router, ChannelRelay& relay) {
  const auto principal = router.Admit(*context, "Agent.Channel");
  if (!principal.ok()) {
    return new RefusedStream<v1::ChannelOutput, v1::ChannelInput>(
        ToGrpcStatus(principal.status(), context));
  }
  const auto stream = std::make_shared<AgentChannel>(context, principal->actor, relay);
  stream->Start();
  return stream.get();
}

}  // namespace berth
