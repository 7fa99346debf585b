#ifndef BERTH_CLIENT_API_STREAMS_H_
#define BERTH_CLIENT_API_STREAMS_H_

// Calls that last, as ApiClient opens them.

#include <cstddef>
#include <optional>

#include "absl/status/status.h"
#include "absl/time/time.h"

#include "proto/client_api.pb.h"

namespace berth {

// One way into a job, as long as it lasts. One thread reads; any may write.
class JobChannel {
 public:
  // As much is read at once for a message.
  static constexpr size_t kPieceBytes = 64 << 10;

  virtual ~JobChannel() = default;
  // Waits for the other side to have room. False: it is over.
  virtual bool Write(const v1::ChannelInput& input) = 0;
  // Only if nobody else is writing. False: somebody is, or it is over.
  virtual bool TryWrite(const v1::ChannelInput& input) = 0;
  // Waits for the next frame. False: it is over, Finish says why.
  virtual bool Read(v1::ChannelOutput& output) = 0;
  virtual absl::Status Finish() = 0;
  // Ends it from any thread; what it runs in the job ends, too.
  virtual void Cancel() = 0;
  // Whether this side has ended it.
  virtual bool was_cancelled() const = 0;
};

// What became of one of several logs: a piece of it came, or its stream has ended with `status`.
struct LogEvent {
  size_t log = 0;
  bool ended = false;
  v1::StreamLogsResponse piece;
  absl::Status status;
};

// Several logs at once, read in step by one thread: of each no more comes than was asked for.
class LogStreams {
 public:
  virtual ~LogStreams() = default;
  // Opens a stream under this number, and asks for its first piece. Requires: the last one under
  // the number has ended.
  virtual void Open(size_t log, const v1::StreamLogsRequest& request) = 0;
  // Asks for one more piece. Requires: it has not ended, and the last piece that was asked for has
  // come.
  virtual void Want(size_t log) = 0;
  // What comes next; nothing if it does not come before `deadline`.
  virtual std::optional<LogEvent> Next(absl::Time deadline) = 0;
};

// One upload of a folder (UploadWorkdir). One thread.
class WorkdirChannel {
 public:
  virtual ~WorkdirChannel() = default;
  // As JobChannel's.
  virtual bool Write(const v1::UploadWorkdirRequest& request) = 0;
  virtual bool Read(v1::UploadWorkdirResponse& response) = 0;
  virtual absl::Status Finish() = 0;
  virtual void Cancel() = 0;
};

}  // namespace berth

#endif  // BERTH_CLIENT_API_STREAMS_H_
