#ifndef BERTH_CLIENT_LOG_LINES_H_
#define BERTH_CLIENT_LOG_LINES_H_

// The lines of one rank's log, made of the pieces in which it comes.

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>

#include "absl/strings/string_view.h"

#include "proto/client_api.pb.h"

namespace berth {

struct LogLine {
  int32_t rank = 0;
  int64_t at_us = 0;  // when its first byte came, by its node's clock; 0: nobody knows
  std::string text;   // any bytes, without the line break
};

// Pieces go in in order; each is kept no longer than its last line is open.
class LineSplitter {
 public:
  // A longer line is cut into several: no log makes a reader hold more of it.
  static constexpr size_t kLineBytesMax = 64 << 10;

  // Appends the lines that the piece ends.
  void Add(const v1::StreamLogsResponse& piece, std::deque<LogLine>& lines);
  // Nothing more comes: the last line may have no line break.
  void End(std::deque<LogLine>& lines);

 private:
  void Append(absl::string_view bytes, std::deque<LogLine>& lines);

  LogLine open_;
  bool is_open_ = false;
  int64_t at_us_ = 0;  // of the bytes that come now
  int64_t next_offset_ = -1;
};

}  // namespace berth

#endif  // BERTH_CLIENT_LOG_LINES_H_
