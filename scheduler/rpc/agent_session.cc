#include "scheduler/rpc/agent_session.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

#include "common/error_detail.h"
#include "common/grpc_status.h"
#include "common/log.h"
#include "scheduler/convert.h"
#include "scheduler/convert_text.h"
#include "scheduler/rpc/protocol_version.h"

namespace berth {
namespace {

constexpr size_t kRefusalTextBytesMax = 1024;

// Joins `next` to the last message that waits, where several of a kind can travel as one.
bool Merge(v1::SchedulerMessage& last, v1::SchedulerMessage& next) {
  if (last.has_assign() && next.has_assign() &&
      last.ByteSizeLong() + next.ByteSizeLong() <= AgentSession::kMergedBytesMax) {
    last.mutable_assign()->MergeFrom(next.assign());
    return true;
  }
  if (last.has_report_ack() && next.has_report_ack() &&
      last.ByteSizeLong() + next.ByteSizeLong() <= AgentSession::kMergedBytesMax) {
    last.mutable_report_ack()->MergeFrom(next.report_ack());
    return true;
  }
  return false;
}

}  // namespace

AgentSession::AgentSession(grpc::CallbackServerContext* call, Actor actor, std::string node_name,
                           const AgentSessionContext& context)
    : call_(call), actor_(std::move(actor)), node_name_(std::move(node_name)), context_(context) {}

void AgentSession::Start(std::function<void(const std::shared_ptr<AgentSession>&)> on_done) {
  on_done_ = std::move(on_done);
  self_ = shared_from_this();
  StartRead(&incoming_);
}

void AgentSession::Send(const NodeCommand& command) {
  v1::SchedulerMessage message = ToProto(command);
  if (const auto* assign = std::get_if<AssignTask>(&command.kind);
      assign != nullptr && assign->node_count > 1) {
    (*message.mutable_assign()->mutable_job_tokens())[assign->allocation.id.value()] =
        context_.authenticator->job_tokens().Make(assign->allocation);
  }
  absl::MutexLock lock(&mu_);
  if (message.has_hello_ack()) {
    accepted_ = true;
    message.mutable_hello_ack()->set_protocol(protocol_);
    message.mutable_hello_ack()->set_cluster_id(context_.loop->cluster_id());
  }
  const bool refused = message.has_hello_refused();
  const absl::Status end =
      refused ? absl::FailedPreconditionError(message.hello_refused().message()) : absl::OkStatus();
  Enqueue(std::move(message));
  if (refused) {
    End(end);
  }
}

void AgentSession::Close() {
  CloseWith(absl::UnavailableError("this session is over"));
}

void AgentSession::CloseWith(const absl::Status& status) {
  absl::MutexLock lock(&mu_);
  End(status);
}

void AgentSession::OpenLog(const v1::OpenLog& message) {
  v1::SchedulerMessage envelope;
  *envelope.mutable_open_log() = message;
  absl::MutexLock lock(&mu_);
  Enqueue(std::move(envelope));
}

void AgentSession::OpenChannel(const v1::OpenChannel& message) {
  v1::SchedulerMessage envelope;
  *envelope.mutable_open_channel() = message;
  absl::MutexLock lock(&mu_);
  Enqueue(std::move(envelope));
}

bool AgentSession::is_open() const {
  absl::MutexLock lock(&mu_);
  return accepted_ && !ending_;
}

void AgentSession::OnReadDone(bool ok) {
  if (!ok) {
    CloseWith(absl::OkStatus());
    return;
  }
  if (const absl::Status token = context_.authenticator->Recheck(actor_.token_id); !token.ok()) {
    CloseWith(token);
    return;
  }
  if (Handle(incoming_)) {
    incoming_.Clear();
    StartRead(&incoming_);
  }
}

void AgentSession::OnWriteDone(bool ok) {
  absl::MutexLock lock(&mu_);
  writing_ = false;
  if (!ok) {
    outbox_.clear();
    End(absl::UnavailableError("the agent has gone"));
    return;
  }
  WriteNext();
}

void AgentSession::OnCancel() {
  absl::MutexLock lock(&mu_);
  outbox_.clear();
  End(absl::CancelledError("the agent has gone"));
}

void AgentSession::OnDone() {
  const std::shared_ptr<AgentSession> self = std::move(self_);
  {
    absl::MutexLock lock(&mu_);
    done_ = true;
  }
  if (session_) {
    context_.loop->PostAgent(AgentGone{.node = actor_.node, .session = session_});
  }
  on_done_(self);
}

bool AgentSession::Handle(const v1::AgentMessage& message) {
  if (!session_ && !message.has_hello()) {
    CloseWith(absl::FailedPreconditionError("the first message of a session is a hello"));
    return false;
  }
  switch (message.kind_case()) {
    case v1::AgentMessage::kHello:
      return HandleHello(message.hello());
    case v1::AgentMessage::kHeartbeat:
      return HandleHeartbeat(message.heartbeat());
    case v1::AgentMessage::kReport:
      return HandleReport(message.report());
    case v1::AgentMessage::kFacts:
      return HandleFacts(message.facts());
    case v1::AgentMessage::kNotices:
      return HandleNotices(message.notices());
    case v1::AgentMessage::kLogRefusal:
      HandleLogRefusal(message.log_refusal());
      return true;
    case v1::AgentMessage::kGoodbye:
    case v1::AgentMessage::KIND_NOT_SET:
      // A goodbye proves nothing by itself: the heartbeats have told what runs.
      return true;
  }
  return true;
}

bool AgentSession::HandleHello(const v1::Hello& hello) {
  if (session_) {
    CloseWith(absl::FailedPreconditionError("a session has one hello"));
    return false;
  }
  if (hello.node() != node_name_) {
    Refuse(v1::HelloRefused::WHY_IDENTITY,
           absl::StrCat("the token is for the node ", Quoted(node_name_), ", not for ",
                        Quoted(hello.node())));
    return false;
  }
  if (hello.protocol_max() < kProtocolMin || hello.protocol_min() > kProtocolMax) {
    Refuse(v1::HelloRefused::WHY_VERSION,
           absl::StrCat("the agent speaks protocol ", hello.protocol_min(), " to ",
                        hello.protocol_max(), ", this scheduler ", kProtocolMin, " to ",
                        kProtocolMax));
    return false;
  }
  if (hello.sched_epoch_max() > context_.loop->sched_epoch()) {
    Refuse(v1::HelloRefused::WHY_EPOCH_BEHIND,
           absl::StrCat("the agent has obeyed epoch ", hello.sched_epoch_max(),
                        ", this scheduler has ", context_.loop->sched_epoch()));
    return false;
  }
  absl::StatusOr<AgentHello> event = ToAgentHello(hello);
  if (!event.ok()) {
    Refuse(v1::HelloRefused::WHY_INVENTORY, event.status().message());
    return false;
  }
  protocol_ = std::min(hello.protocol_max(), kProtocolMax);
  event->node = actor_.node;
  session_ = context_.loop->PostHello(*std::move(event), shared_from_this());
  return true;
}

bool AgentSession::HandleHeartbeat(const v1::Heartbeat& heartbeat) {
  if (const absl::Status status = CheckHeartbeat(heartbeat); !status.ok()) {
    CloseWith(status);
    return false;
  }
  context_.samples->Put(actor_.node, heartbeat);
  AgentHeartbeat event = ToAgentHeartbeat(heartbeat);
  event.node = actor_.node;
  event.session = session_;
  context_.loop->PostAgent(std::move(event));
  return true;
}

bool AgentSession::HandleReport(const v1::Report& report) {
  if (const absl::Status status = CheckReport(report); !status.ok()) {
    CloseWith(status);
    return false;
  }
  context_.loop->PostAgent(
      AgentReport{.node = actor_.node, .session = session_, .report = ToTaskReport(report)});
  return true;
}

bool AgentSession::HandleFacts(const v1::NodeFacts& facts) {
  if (const absl::Status status = CheckFacts(facts); !status.ok()) {
    CloseWith(status);
    return false;
  }
  context_.loop->PostAgent(
      AgentFacts{.node = actor_.node, .session = session_, .facts = ToReportedFacts(facts)});
  return true;
}

bool AgentSession::HandleNotices(const v1::Notices& notices) {
  if (const absl::Status status = CheckNotices(notices); !status.ok()) {
    CloseWith(status);
    return false;
  }
  AgentNotices event = ToAgentNotices(notices);
  event.node = actor_.node;
  event.session = session_;
  context_.loop->PostAgent(std::move(event));
  return true;
}

void AgentSession::HandleLogRefusal(const v1::LogRefusal& refusal) {
  const auto pipe = context_.relay->Find(refusal.request_id());
  // Opening it shows that the request was meant for this node.
  if (pipe != nullptr && pipe->Open(actor_.node, [] {})) {
    pipe->Close(MakeError(absl::StatusCode::kFailedPrecondition,
                          {.code = "B4302",
                           .message = absl::StrCat("the log cannot be read on ", node_name_),
                           .why = MakePlain(refusal.message(), kRefusalTextBytesMax),
                           .fix = ""}));
  }
}

void AgentSession::Refuse(v1::HelloRefused::Why why, absl::string_view message) {
  LogWarning(
      "agent refused",
      {
          {"node", node_name_                     },
          {"why",  v1::HelloRefused::Why_Name(why)},
          {"text", message                        }
  });
  v1::SchedulerMessage envelope;
  envelope.mutable_hello_refused()->set_why(why);
  envelope.mutable_hello_refused()->set_message(std::string(message));
  absl::MutexLock lock(&mu_);
  Enqueue(std::move(envelope));
  End(absl::FailedPreconditionError(message));
}

void AgentSession::Enqueue(v1::SchedulerMessage message) {
  if (ending_) {
    return;
  }
  if (!outbox_.empty() && Merge(outbox_.back(), message)) {
    return;
  }
  if (outbox_.size() >= kOutboxMax) {
    LogWarning("agent does not read: its session ends", {
                                                            {"node", node_name_}
    });
    outbox_.clear();
    End(absl::ResourceExhaustedError("the agent does not read what it is told"));
    if (!done_) {
      call_->TryCancel();
    }
    return;
  }
  outbox_.push_back(std::move(message));
  WriteNext();
}

void AgentSession::WriteNext() {
  if (writing_ || finished_) {
    return;
  }
  if (!outbox_.empty()) {
    outgoing_ = std::move(outbox_.front());
    outbox_.pop_front();
    writing_ = true;
    StartWrite(&outgoing_);
  } else if (ending_) {
    finished_ = true;
    Finish(ToGrpcStatus(end_, call_));
  }
}

void AgentSession::End(const absl::Status& status) {
  if (!ending_) {
    ending_ = true;
    end_ = status;
  }
  WriteNext();
}

}  // namespace berth
