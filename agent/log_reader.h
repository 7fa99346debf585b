#ifndef BERTH_AGENT_LOG_READER_H_
#define BERTH_AGENT_LOG_READER_H_

// Reads one rank's log from an offset, a time or its last lines, and knows whether more may come.
// The log is one stream of bytes in segments (shim/rank_log.h), of which the oldest may be gone.

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "agent/stamp_reader.h"
#include "proto/agent_api.pb.h"

namespace berth {

class LogReader {
 public:
  static absl::StatusOr<LogReader> Open(absl::string_view data_dir, const v1::OpenLog& request);
  // `folder`: of the attempt, here or in the archive.
  static absl::StatusOr<LogReader> OpenIn(const std::string& folder, const v1::OpenLog& request);
  LogReader(LogReader&& other) noexcept;
  LogReader& operator=(LogReader&& other) noexcept;
  ~LogReader();

  // At most 64 KiB; empty at the present end.
  std::string ReadNext();
  // When the bytes of the last ReadNext came, if the request wants to know it.
  const std::vector<StampRecord>& stamps() const { return stamps_; }
  // Where in the stream the next bytes come from. What left before it was read is jumped over.
  int64_t offset();
  // The task may still write.
  bool MayGrow() const;

 private:
  // The file that holds a part of the stream.
  struct Segment {
    int64_t begin = 0;
    int64_t size = 0;
  };
  LogReader(std::string path, std::string task_folder)
      : path_(std::move(path)), task_folder_(std::move(task_folder)), stamp_reader_(path_) {}
  std::vector<Segment> ListSegments() const;
  // Opens the segment that holds offset_, or the first after it.
  void Seek();
  int64_t FindTail(const std::vector<Segment>& segments, int64_t lines) const;
  int64_t FindSince(const std::vector<Segment>& segments, int64_t since_us) const;
  int64_t BehindBreak(const std::vector<Segment>& segments, int64_t end, int64_t count) const;

  std::string path_;  // of the first segment
  std::string task_folder_;
  int file_ = -1;      // the segment in use; -1: none yet
  int64_t begin_ = 0;  // of it
  int64_t offset_ = 0;
  StampReader stamp_reader_;
  bool with_stamps_ = false;
  std::vector<StampRecord> stamps_;
};

// The last lines of the log that the request names, at most 4 KiB; empty if there is none.
std::string ReadLogTail(absl::string_view data_dir, v1::OpenLog request);

}  // namespace berth

#endif  // BERTH_AGENT_LOG_READER_H_
