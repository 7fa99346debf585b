#include "client/api_client_streams.h"

#include <atomic>
#include <cstdint>
#include <map>
#include <utility>

#include "absl/synchronization/mutex.h"
#include <grpcpp/grpcpp.h>

#include "client/unreachable.h"
#include "common/grpc_status.h"

namespace berth {
namespace {

absl::Status Explained(const absl::Status& status, const std::string& server) {
  return IsUnreachable(status) ? Unreachable(status, server, absl::ZeroDuration()) : status;
}

class StreamChannel final : public JobChannel {
 public:
  StreamChannel(v1::Client::Stub& stub, std::string server, const std::string& authorization)
      : server_(std::move(server)) {
    context_.AddMetadata("authorization", authorization);
    stream_ = stub.EnterJob(&context_);
  }

  bool Write(const v1::ChannelInput& input) override {
    absl::MutexLock lock(&mu_);
    return stream_->Write(input);
  }

  bool TryWrite(const v1::ChannelInput& input) override {
    if (!mu_.TryLock()) {
      return false;
    }
    const bool written = stream_->Write(input);
    mu_.Unlock();
    return written;
  }

  bool Read(v1::ChannelOutput& output) override { return stream_->Read(&output); }

  absl::Status Finish() override {
    const absl::Status status = FromGrpcStatus(stream_->Finish(), context_);
    return Explained(status, server_);
  }

  void Cancel() override {
    cancelled_ = true;
    context_.TryCancel();
  }

  bool was_cancelled() const override { return cancelled_; }

 private:
  const std::string server_;
  grpc::ClientContext context_;
  std::atomic<bool> cancelled_ = false;
  absl::Mutex mu_;  // one write at a time
  std::unique_ptr<grpc::ClientReaderWriter<v1::ChannelInput, v1::ChannelOutput>> stream_;
};

class StreamUpload final : public WorkdirChannel {
 public:
  StreamUpload(v1::Client::Stub& stub, std::string server, const std::string& authorization)
      : server_(std::move(server)) {
    context_.AddMetadata("authorization", authorization);
    stream_ = stub.UploadWorkdir(&context_);
  }

  bool Write(const v1::UploadWorkdirRequest& request) override { return stream_->Write(request); }
  bool Read(v1::UploadWorkdirResponse& response) override { return stream_->Read(&response); }

  absl::Status Finish() override {
    const absl::Status status = FromGrpcStatus(stream_->Finish(), context_);
    return Explained(status, server_);
  }

  void Cancel() override { context_.TryCancel(); }

 private:
  const std::string server_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReaderWriter<v1::UploadWorkdirRequest, v1::UploadWorkdirResponse>>
      stream_;
};

// One operation is under way per stream, so its number is tag enough.
class LogStreamsByQueue final : public LogStreams {
 public:
  LogStreamsByQueue(v1::Client::Stub& stub, std::string server, std::string authorization)
      : stub_(stub), server_(std::move(server)), authorization_(std::move(authorization)) {}
  ~LogStreamsByQueue() override {
    for (auto& [log, stream] : streams_) {
      stream.context->TryCancel();
    }
    queue_.Shutdown();
    void* tag = nullptr;
    bool ok = false;
    while (queue_.Next(&tag, &ok)) {
    }
  }

  void Open(size_t log, const v1::StreamLogsRequest& request) override {
    Stream& stream = streams_[log];
    stream.context = std::make_unique<grpc::ClientContext>();
    stream.context->AddMetadata("authorization", authorization_);
    stream.reader = stub_.PrepareAsyncStreamLogs(stream.context.get(), request, &queue_);
    stream.step = Stream::kOpening;
    stream.reader->StartCall(TagOf(log));
  }

  void Want(size_t log) override { Read(log, streams_.at(log)); }

  std::optional<LogEvent> Next(absl::Time deadline) override {
    void* tag = nullptr;
    bool ok = false;
    while (queue_.AsyncNext(&tag, &ok, absl::ToChronoTime(deadline)) ==
           grpc::CompletionQueue::GOT_EVENT) {
      const auto log = static_cast<size_t>(reinterpret_cast<uintptr_t>(tag));
      Stream& stream = streams_.at(log);
      if (stream.step == Stream::kFinishing) {
        const absl::Status status = FromGrpcStatus(stream.status, *stream.context);
        streams_.erase(log);
        return LogEvent{
            .log = log, .ended = true, .piece = {}, .status = Explained(status, server_)};
      }
      if (!ok) {
        stream.step = Stream::kFinishing;
        stream.reader->Finish(&stream.status, TagOf(log));
      } else if (stream.step == Stream::kOpening) {
        Read(log, stream);
      } else {
        return LogEvent{.log = log, .piece = std::move(stream.piece), .status = {}};
      }
    }
    return std::nullopt;
  }

 private:
  struct Stream {
    enum Step { kOpening, kReading, kFinishing } step = kOpening;
    std::unique_ptr<grpc::ClientContext> context;
    std::unique_ptr<grpc::ClientAsyncReader<v1::StreamLogsResponse>> reader;
    v1::StreamLogsResponse piece;
    grpc::Status status;
  };

  static void* TagOf(size_t log) { return reinterpret_cast<void*>(static_cast<uintptr_t>(log)); }
  static void Read(size_t log, Stream& stream) {
    stream.step = Stream::kReading;
    stream.piece.Clear();
    stream.reader->Read(&stream.piece, TagOf(log));
  }

  v1::Client::Stub& stub_;
  const std::string server_;
  const std::string authorization_;
  std::map<size_t, Stream> streams_;
  grpc::CompletionQueue queue_;
};

}  // namespace

std::unique_ptr<JobChannel> OpenJobChannel(v1::Client::Stub& stub, std::string server,
                                           const std::string& authorization) {
  return std::make_unique<StreamChannel>(stub, std::move(server), authorization);
}

std::unique_ptr<WorkdirChannel> OpenWorkdirChannel(v1::Client::Stub& stub, std::string server,
                                                   const std::string& authorization) {
  return std::make_unique<StreamUpload>(stub, std::move(server), authorization);
}

std::unique_ptr<LogStreams> OpenLogStreams(v1::Client::Stub& stub, std::string server,
                                           std::string authorization) {
  return std::make_unique<LogStreamsByQueue>(stub, std::move(server), std::move(authorization));
}

}  // namespace berth
