#include "scheduler/rpc/log_upload.h"

#include <memory>
#include <string>
#include <utility>

#include "common/error_detail.h"
#include "common/grpc_status.h"
#include "scheduler/convert_text.h"

namespace berth {
namespace {

constexpr size_t kErrorTextBytesMax = 1024;
// A larger chunk would go around the bound of the pipe.
constexpr size_t kChunkBytesMax = 1 << 20;
constexpr int kChunkStampsMax = 4096;

absl::Status NodeGone() {
  return WithDetail(absl::UnavailableError("the node that sent the log has gone"),
                    {.code = "B5302",
                     .why = {},
                     .fix = {"try again when the node is back: berth nodes"},
                     .retryable = true});
}

absl::Status Unreadable(absl::string_view error) {
  return MakeError(absl::StatusCode::kFailedPrecondition,
                   {.code = "B4302",
                    .message = "the node cannot read the log",
                    .why = MakePlain(error, kErrorTextBytesMax),
                    .fix = ""});
}

// Either waits for a read, or for room in the pipe, or has finished: never two of them.
class LogUpload final : public grpc::ServerReadReactor<v1::LogChunk> {
 public:
  LogUpload(grpc::CallbackServerContext* context, NodeId node, LogRelay& relay)
      : context_(context), node_(node), relay_(relay) {
    StartRead(&chunk_);
  }

  void OnReadDone(bool ok) override {
    if (!ok) {
      End(NodeGone());
    } else if (pipe_ == nullptr && !OpenPipe()) {
      Finish({grpc::StatusCode::NOT_FOUND, "nobody waits for this log"});
    } else if (!chunk_.error().empty()) {
      End(Unreadable(chunk_.error()));
    } else if (chunk_.data().size() > kChunkBytesMax || chunk_.stamps_size() > kChunkStampsMax) {
      End(Unreadable("its chunks are too large"));
    } else {
      Pass();
    }
  }

  void OnDone() override {
    if (pipe_ != nullptr) {
      pipe_->Release();
    }
    delete this;
  }

 private:
  bool OpenPipe() {
    const auto pipe = relay_.Find(chunk_.request_id());
    // TryCancel under the pipe's lock: the context lives until OnDone released the pipe.
    if (pipe == nullptr || !pipe->Open(node_, [this] { context_->TryCancel(); })) {
      return false;
    }
    pipe_ = pipe;
    return true;
  }

  void Pass() {
    const bool is_last = chunk_.end();
    LogPiece piece;
    piece.data = std::move(*chunk_.mutable_data());
    piece.offset_bytes = chunk_.offset_bytes();
    piece.stamps.Swap(chunk_.mutable_stamps());
    const bool has_room =
        piece.data.empty() ||
        pipe_->Push(
            std::move(piece), is_last ? std::function<void()>([] {}) : [this] { ReadNext(); });
    if (is_last) {
      End(absl::OkStatus());
    } else if (has_room) {
      ReadNext();
    }
  }

  void ReadNext() {
    chunk_.Clear();
    StartRead(&chunk_);
  }

  void End(const absl::Status& end) {
    if (pipe_ != nullptr) {
      // In this order: a reader that has seen the end leaves, and must not cancel this call then.
      pipe_->Release();
      pipe_->Close(end);
    }
    Finish(grpc::Status::OK);
  }

  grpc::CallbackServerContext* const context_;
  const NodeId node_;
  LogRelay& relay_;
  std::shared_ptr<LogPipe> pipe_;
  v1::LogChunk chunk_;
};

}  // namespace

grpc::ServerReadReactor<v1::LogChunk>* StartLogUpload(grpc::CallbackServerContext* context,
                                                      const Actor& actor, LogRelay& relay) {
  return new LogUpload(context, actor.node, relay);
}

}  // namespace berth
