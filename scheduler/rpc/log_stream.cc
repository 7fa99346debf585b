#include "scheduler/rpc/log_stream.h"

#include <chrono>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include <grpcpp/alarm.h>

#include "common/error_detail.h"
#include "common/grpc_status.h"
#include "scheduler/rpc/log_search.h"

namespace berth {
namespace {

// How long an agent may take to open its upload.
constexpr std::chrono::seconds kOpenTimeout{10};
// A stream that waits for its job looks this often whether its token is still good.
constexpr absl::Duration kWaitSlice = absl::Seconds(4);

absl::Status Unreachable(absl::string_view message) {
  return WithDetail(
      absl::UnavailableError(message),
      {.code = "B5301",
       .why = {"a log is kept on the node that ran the job, and no node reads an archive of it"},
       .fix = {"try again when the node is back: berth nodes"},
       .retryable = true});
}

// The way from a request to an open pipe. Shared by the closures that wait for the loop; when the
// last of them is dropped without success, the reader is told.
class LogRequest : public std::enable_shared_from_this<LogRequest> {
 public:
  struct Parts {
    Actor actor;
    v1::StreamLogsRequest request;
    std::shared_ptr<LogPipe> pipe;
    std::shared_ptr<grpc::Alarm> alarm;
  };
  LogRequest(Parts parts, const CallRouter& router, const LogSource& source)
      : parts_(std::move(parts)), router_(router), source_(source) {}
  LogRequest(const LogRequest&) = delete;
  LogRequest& operator=(const LogRequest&) = delete;
  ~LogRequest() {
    if (!asked_) {
      parts_.pipe->Close(
          WithDetail(absl::UnavailableError("the scheduler is overloaded or stopping"),
                     {.code = "B8102",
                      .why = {},
                      .fix = {"try again in a moment; running jobs are not affected"},
                      .retryable = true}));
    }
  }

  void Start() {
    router_.loop().PostRead([self = shared_from_this()](const ReadView& view) {
      self->Continue(FindLog(view, self->parts_.actor, self->parts_.request));
    });
  }

 private:
  void Continue(const absl::StatusOr<LogPlace>& place) {
    if (!place.ok()) {
      parts_.pipe->Close(place.status());
    } else if (!place->started) {
      WaitForStart();
    } else {
      AskAgent(*place);
    }
  }

  void WaitForStart() {
    JobWait wait;
    wait.actor = parts_.actor;
    wait.job = JobId(parts_.request.job_id());
    wait.until = JobWait::Until::kStarted;
    wait.timeout = kWaitSlice;
    wait.done = [self = shared_from_this()](const absl::StatusOr<JobRecord>& record, bool) {
      const absl::Status token = self->router_.authenticator().Recheck(self->parts_.actor.token_id);
      if (!token.ok() || !record.ok()) {
        self->parts_.pipe->Close(token.ok() ? record.status() : token);
      } else if (!self->parts_.pipe->abandoned()) {
        self->Start();
      }
    };
    router_.loop().PostWait(std::move(wait));
  }

  void AskAgent(const LogPlace& place) {
    v1::OpenLog message;
    message.set_request_id(parts_.pipe->request_id());
    message.set_job_id(parts_.request.job_id());
    message.set_attempt(place.attempt);
    message.set_allocation_id(place.allocation.value());
    message.set_rank(place.rank);
    message.set_follow(parts_.request.follow());
    message.set_tail_lines(parts_.request.tail_lines());
    message.set_offset_bytes(parts_.request.offset_bytes());
    message.set_since_us(parts_.request.since_us());
    message.set_with_stamps(parts_.request.with_stamps());
    bool asked = Ask(place.node, place.rank, message);
    for (size_t i = 0; !asked && i < place.readers.size(); ++i) {
      asked = Ask(place.readers[i], place.rank, message);
    }
    if (!asked) {
      parts_.pipe->Close(Unreachable(absl::StrCat("node ", place.node.name, " is not connected")));
    }
  }

  // False: the node is not connected.
  bool Ask(const LogNode& node, int rank, const v1::OpenLog& message) {
    parts_.pipe->Expect(node.id, rank);
    asked_ = source_.open(node.id, message).ok();
    if (asked_) {
      parts_.alarm->Set(
          std::chrono::system_clock::now() + kOpenTimeout,
          [pipe = parts_.pipe, name = node.name](bool expired) {
            if (expired) {
              pipe->CloseUnlessOpened(Unreachable(absl::StrCat("node ", name, " does not answer")));
            }
          });
    }
    return asked_;
  }

  const Parts parts_;
  const CallRouter& router_;
  const LogSource& source_;
  bool asked_ = false;
};

// Pump() is either waiting for a write, or for the pipe, or has finished: never two of them.
class LogStream final : public grpc::ServerWriteReactor<v1::StreamLogsResponse> {
 public:
  LogStream(grpc::CallbackServerContext* context, std::shared_ptr<LogPipe> pipe,
            const CallRouter& router, LogRelay& relay)
      : context_(context), pipe_(std::move(pipe)), router_(router), relay_(relay) {}

  void Pump() {
    LogPiece piece;
    absl::Status end;
    switch (pipe_->Take(piece, end, [this] { Pump(); })) {
      case LogPipe::Taken::kNothing:
        return;
      case LogPipe::Taken::kPiece:
        Write(std::move(piece));
        return;
      case LogPipe::Taken::kEnd:
        pipe_->Abandon();
        Finish(ToGrpcStatus(end, context_));
        return;
    }
  }

  void OnWriteDone(bool ok) override {
    if (!ok) {
      pipe_->Abandon();
    }
    Pump();
  }
  void OnCancel() override { pipe_->Abandon(); }
  void OnDone() override {
    alarm_->Cancel();
    relay_.Remove(pipe_->request_id());
    delete this;
  }

  const std::shared_ptr<grpc::Alarm>& alarm() const { return alarm_; }

 private:
  void Write(LogPiece piece) {
    if (const absl::Status status = router_.authenticator().Recheck(pipe_->token_id());
        !status.ok()) {
      pipe_->Abandon();
      Finish(ToGrpcStatus(status, context_));
      return;
    }
    message_.set_data(std::move(piece.data));
    message_.set_offset_bytes(piece.offset_bytes);
    message_.set_rank(piece.rank);
    message_.mutable_stamps()->Swap(&piece.stamps);
    StartWrite(&message_);
  }

  grpc::CallbackServerContext* const context_;
  const std::shared_ptr<LogPipe> pipe_;
  const CallRouter& router_;
  LogRelay& relay_;
  const std::shared_ptr<grpc::Alarm> alarm_ = std::make_shared<grpc::Alarm>();
  v1::StreamLogsResponse message_;
};

class RefusedLogStream final : public grpc::ServerWriteReactor<v1::StreamLogsResponse> {
 public:
  explicit RefusedLogStream(const grpc::Status& status) { Finish(status); }
  void OnDone() override { delete this; }
};

absl::Status CheckRequest(const v1::StreamLogsRequest& request) {
  if (request.tail_lines() < -1 || request.offset_bytes() < 0 || request.rank() < -1 ||
      request.attempt() < -1 || request.since_us() < 0) {
    return MakeError(
        absl::StatusCode::kInvalidArgument,
        {.code = "B1206",
         .message = "a rank, an attempt, a line count, an offset or a time is negative",
         .why = "-1 stands for the default, less for nothing",
         .fix = "check the numbers"});
  }
  return absl::OkStatus();
}

}  // namespace

grpc::ServerWriteReactor<v1::StreamLogsResponse>* StartLogStream(
    grpc::CallbackServerContext* context, const v1::StreamLogsRequest& request,
    const CallRouter& router, const LogSource& source) {
  const auto principal = router.Admit(*context, "Client.StreamLogs");
  absl::Status status = principal.ok() ? CheckRequest(request) : principal.status();
  if (!status.ok()) {
    return new RefusedLogStream(ToGrpcStatus(status, context));
  }
  auto pipe = source.relay->Add(principal->actor.token_id);
  if (!pipe.ok()) {
    return new RefusedLogStream(ToGrpcStatus(pipe.status(), context));
  }
  auto* stream = new LogStream(context, *pipe, router, *source.relay);
  std::make_shared<LogRequest>(
      LogRequest::Parts{
          .actor = principal->actor, .request = request, .pipe = *pipe, .alarm = stream->alarm()},
      router, source)
      ->Start();
  stream->Pump();
  return stream;
}

}  // namespace berth
