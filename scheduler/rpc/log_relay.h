#ifndef BERTH_SCHEDULER_RPC_LOG_RELAY_H_
#define BERTH_SCHEDULER_RPC_LOG_RELAY_H_

// Log bytes on their way from an agent's upload stream to a reader's stream: one bounded pipe per
// log that is read. The control loop never sees them.

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"

#include "proto/job.pb.h"
#include "scheduler/core/ids.h"
#include "scheduler/rpc/open_by_token.h"

namespace berth {

struct LogPiece {
  std::string data;
  int64_t offset_bytes = 0;
  int rank = 0;
  google::protobuf::RepeatedPtrField<v1::LogStamp> stamps;
};

// Both ends may be on any thread, but each end has one call at work at a time. Callbacks are called
// without the pipe's lock unless said otherwise.
class LogPipe {
 public:
  static constexpr size_t kPiecesMax = 8;
  static constexpr size_t kBytesMax = 1 << 20;
  // Of a pipe that is one of many.
  static constexpr size_t kNarrowPiecesMax = 1;

  LogPipe(uint64_t request_id, std::string token_id)
      : request_id_(request_id), token_id_(std::move(token_id)) {}

  uint64_t request_id() const { return request_id_; }
  const std::string& token_id() const { return token_id_; }

  // From now on it holds kNarrowPiecesMax pieces.
  void Narrow() ABSL_LOCKS_EXCLUDED(mu_);

  // ---- Who will write ----
  // From now on `node` may open it, for the log of `rank`.
  void Expect(NodeId node, int rank) ABSL_LOCKS_EXCLUDED(mu_);

  // ---- Writing end ----
  // False: it is not for this node, was opened before, or is over. `cancel` is called under the
  // pipe's lock if the reader goes away: it must return at once and not call the pipe.
  bool Open(NodeId node, std::function<void()> cancel) ABSL_LOCKS_EXCLUDED(mu_);
  // The writing end is about to be destroyed: `cancel` is not called any more.
  void Release() ABSL_LOCKS_EXCLUDED(mu_);
  // False: there is no room for another piece; `resume` is called once when there is, or when the
  // reader has gone.
  // The piece's rank is the one that is expected.
  bool Push(LogPiece piece, std::function<void()> resume) ABSL_LOCKS_EXCLUDED(mu_);
  // Nothing more will come. The first end given stays.
  void Close(const absl::Status& end) ABSL_LOCKS_EXCLUDED(mu_);
  void CloseUnlessOpened(const absl::Status& end) ABSL_LOCKS_EXCLUDED(mu_);

  // ---- Reading end ----
  enum class Taken { kPiece, kNothing, kEnd };
  // kNothing: `wake` is called once when there is something. kEnd: `end` says why; all pieces have
  // been taken before.
  Taken Take(LogPiece& piece, absl::Status& end, std::function<void()> wake)
      ABSL_LOCKS_EXCLUDED(mu_);
  // The reader has gone.
  void Abandon() ABSL_LOCKS_EXCLUDED(mu_);
  bool abandoned() const ABSL_LOCKS_EXCLUDED(mu_);

 private:
  const uint64_t request_id_;
  const std::string token_id_;

  mutable absl::Mutex mu_;
  NodeId node_ ABSL_GUARDED_BY(mu_);
  int rank_ ABSL_GUARDED_BY(mu_) = 0;
  bool opened_ ABSL_GUARDED_BY(mu_) = false;
  bool closed_ ABSL_GUARDED_BY(mu_) = false;
  bool abandoned_ ABSL_GUARDED_BY(mu_) = false;
  absl::Status end_ ABSL_GUARDED_BY(mu_);
  size_t pieces_max_ ABSL_GUARDED_BY(mu_) = kPiecesMax;
  std::deque<LogPiece> pieces_ ABSL_GUARDED_BY(mu_);
  size_t bytes_ ABSL_GUARDED_BY(mu_) = 0;
  std::function<void()> cancel_ ABSL_GUARDED_BY(mu_);
  std::function<void()> resume_ ABSL_GUARDED_BY(mu_);
  std::function<void()> wake_ ABSL_GUARDED_BY(mu_);
};

// The pipes in use, by request id. Safe from any thread.
class LogRelay {
 public:
  // A gang's logs are read all at once. Whoever reads more than kWidePipesMax gets narrow pipes
  // for the others, so that a reader who stands still holds about 40 MiB at most.
  static constexpr int kPipesPerTokenMax = 512;
  static constexpr int kWidePipesMax = 20;

  // ResourceExhausted if the token reads too many logs already.
  absl::StatusOr<std::shared_ptr<LogPipe>> Add(absl::string_view token_id);
  // Null: there is no such request.
  std::shared_ptr<LogPipe> Find(uint64_t request_id) const { return pipes_.Find(request_id); }
  void Remove(uint64_t request_id) { pipes_.Remove(request_id); }

  // Ends every pipe whose token `check` refuses, with its answer.
  void CloseRefused(const std::function<absl::Status(absl::string_view token_id)>& check);

 private:
  OpenByToken<LogPipe> pipes_{kPipesPerTokenMax};
};

}  // namespace berth

#endif  // BERTH_SCHEDULER_RPC_LOG_RELAY_H_
