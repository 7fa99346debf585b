#include "scheduler/rpc/log_relay.h"

#include <utility>

#include "absl/strings/str_cat.h"

#include "common/error_detail.h"

namespace berth {
namespace {

void CallIfSet(const std::function<void()>& function) {
  if (function != nullptr) {
    function();
  }
}

}  // namespace

void LogPipe::Expect(NodeId node, int rank) {
  absl::MutexLock lock(&mu_);
  node_ = node;
  rank_ = rank;
}

bool LogPipe::Open(NodeId node, std::function<void()> cancel) {
  absl::MutexLock lock(&mu_);
  if (opened_ || closed_ || abandoned_ || !node_ || node != node_) {
    return false;
  }
  opened_ = true;
  cancel_ = std::move(cancel);
  return true;
}

void LogPipe::Release() {
  absl::MutexLock lock(&mu_);
  cancel_ = nullptr;
  resume_ = nullptr;
}

void LogPipe::Narrow() {
  absl::MutexLock lock(&mu_);
  pieces_max_ = kNarrowPiecesMax;
}

bool LogPipe::Push(LogPiece piece, std::function<void()> resume) {
  std::function<void()> wake;
  bool has_room = true;
  {
    absl::MutexLock lock(&mu_);
    if (!abandoned_ && !closed_) {
      bytes_ += piece.data.size();
      piece.rank = rank_;
      pieces_.push_back(std::move(piece));
      wake = std::exchange(wake_, nullptr);
      has_room = pieces_.size() < pieces_max_ && bytes_ < kBytesMax;
      if (!has_room) {
        resume_ = std::move(resume);
      }
    }
  }
  CallIfSet(wake);
  return has_room;
}

void LogPipe::Close(const absl::Status& end) {
  std::function<void()> wake;
  {
    absl::MutexLock lock(&mu_);
    if (closed_) {
      return;
    }
    closed_ = true;
    end_ = end;
    wake = std::exchange(wake_, nullptr);
  }
  CallIfSet(wake);
}

void LogPipe::CloseUnlessOpened(const absl::Status& end) {
  {
    absl::MutexLock lock(&mu_);
    if (opened_) {
      return;
    }
  }
  Close(end);
}

LogPipe::Taken LogPipe::Take(LogPiece& piece, absl::Status& end, std::function<void()> wake) {
  std::function<void()> resume;
  {
    absl::MutexLock lock(&mu_);
    if (abandoned_) {
      end = absl::CancelledError("the reader has gone");
      return Taken::kEnd;
    }
    if (pieces_.empty()) {
      if (closed_) {
        end = end_;
        return Taken::kEnd;
      }
      wake_ = std::move(wake);
      return Taken::kNothing;
    }
    piece = std::move(pieces_.front());
    pieces_.pop_front();
    bytes_ -= piece.data.size();
    resume = std::exchange(resume_, nullptr);
  }
  CallIfSet(resume);
  return Taken::kPiece;
}

void LogPipe::Abandon() {
  std::function<void()> resume;
  std::function<void()> wake;
  {
    absl::MutexLock lock(&mu_);
    if (abandoned_) {
      return;
    }
    abandoned_ = true;
    pieces_.clear();
    bytes_ = 0;
    CallIfSet(cancel_);
    cancel_ = nullptr;
    resume = std::exchange(resume_, nullptr);
    wake = std::exchange(wake_, nullptr);
  }
  CallIfSet(resume);
  CallIfSet(wake);
}

bool LogPipe::abandoned() const {
  absl::MutexLock lock(&mu_);
  return abandoned_;
}

absl::StatusOr<std::shared_ptr<LogPipe>> LogRelay::Add(absl::string_view token_id) {
  std::shared_ptr<LogPipe> pipe = pipes_.Add(token_id);
  if (pipe == nullptr) {
    return MakeError(
        absl::StatusCode::kResourceExhausted,
        {.code = "B8104",
         .message = absl::StrCat("this token reads ", kPipesPerTokenMax, " logs already"),
         .why = absl::StrCat("one token may read ", kPipesPerTokenMax, " logs at a time"),
         .fix = "end some of them first"});
  }
  if (pipes_.Count(token_id) > kWidePipesMax) {
    pipe->Narrow();
  }
  return pipe;
}

void LogRelay::CloseRefused(const std::function<absl::Status(absl::string_view)>& check) {
  for (const auto& pipe : pipes_.All()) {
    if (const absl::Status status = check(pipe->token_id()); !status.ok()) {
      pipe->Close(status);
    }
  }
}

}  // namespace berth
