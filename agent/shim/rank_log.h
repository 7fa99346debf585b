#ifndef BERTH_AGENT_SHIM_RANK_LOG_H_
#define BERTH_AGENT_SHIM_RANK_LOG_H_

// The log of one rank: what its processes write into a pipe goes to files that only the agent's
// side can touch, in segments, the oldest of which leave. One stream of bytes to a reader, whose
// beginning may be gone. Owned by the TaskShim. Plain C++ without libraries.

#include <cstdint>
#include <deque>
#include <string>

#include "agent/shim/log_stamps.h"

namespace berth {

// The file of the segment that begins at byte `begin` of the stream: `path` itself for the first,
// then `path`.BEGIN with 15 digits.
std::string LogSegmentPath(const std::string& path, int64_t begin);

class RankLog {
 public:
  // At most `segments_max` files of `segment_bytes` are kept, and as many of stamps, none of them
  // larger; 0: one of each without a bound.
  RankLog(std::string path, int64_t segment_bytes, int64_t segments_max)
      : path_(std::move(path)),
        segment_bytes_(segment_bytes),
        segments_max_(segments_max),
        stamps_(path_) {}
  RankLog(const RankLog&) = delete;
  RankLog& operator=(const RankLog&) = delete;
  ~RankLog();

  // Makes the pipe, which belongs to the user so that /dev/stdout can be opened again, and the
  // first file. -1: as whoever calls. False: errno says why.
  bool Open(int64_t user_id, int64_t group_id);
  // The end that the rank's processes write. Closed by CloseWriter once they have it.
  int writer() const { return writer_; }
  void CloseWriter();
  // Readable when there is something to pump, or the last writer is gone; -1 after that.
  int reader() const { return reader_; }
  // Moves a bounded part of what is in the pipe; never waits for more. Where the disk takes
  // nothing, the bytes are dropped and counted, so that no log stops a training.
  void Pump();
  // Everything that is still in the pipe.
  void Drain();

 private:
  bool OpenSegment();
  void BeginNextSegment();
  void StampNext();
  // Whether anything was in the pipe.
  bool Move(int64_t bytes_max);
  bool Drop();
  void NoteDropped();

  const std::string path_;
  const int64_t segment_bytes_;
  const int64_t segments_max_;
  std::deque<int64_t> begins_;  // of the segments that are kept
  int reader_ = -1;
  int writer_ = -1;
  int file_ = -1;        // -1: the disk did not give one
  int64_t size_ = 0;     // of the segment in file_
  int64_t dropped_ = 0;  // bytes since the last that were written
  StampWriter stamps_;
};

}  // namespace berth

#endif  // BERTH_AGENT_SHIM_RANK_LOG_H_
