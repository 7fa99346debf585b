#include "client/log_lines.h"

#include <algorithm>
#include <utility>

namespace berth {

void LineSplitter::Append(absl::string_view bytes, std::deque<LogLine>& lines) {
  do {
    const size_t room = kLineBytesMax - open_.text.size();
    const absl::string_view part = bytes.substr(0, room);
    open_.text.append(part.data(), part.size());
    bytes.remove_prefix(part.size());
    if (!bytes.empty()) {
      lines.push_back(open_);
      open_.text.clear();
    }
  } while (!bytes.empty());
}

void LineSplitter::Add(const v1::StreamLogsResponse& piece, std::deque<LogLine>& lines) {
  if (next_offset_ >= 0 && piece.offset_bytes() != next_offset_) {
    End(lines);  // what was between has left the log
  }
  const absl::string_view data(piece.data());
  int stamp = 0;
  for (size_t at = 0; at < data.size();) {
    const int64_t offset = piece.offset_bytes() + static_cast<int64_t>(at);
    while (stamp < piece.stamps_size() && piece.stamps(stamp).offset_bytes() <= offset) {
      at_us_ = std::max(at_us_, piece.stamps(stamp++).at_us());
    }
    if (!is_open_) {
      is_open_ = true;
      open_ = {.rank = piece.rank(), .at_us = at_us_, .text = ""};
    }
    const size_t end = data.find('\n', at);
    Append(data.substr(at, end == absl::string_view::npos ? end : end - at), lines);
    if (end == absl::string_view::npos) {
      break;
    }
    End(lines);
    at = end + 1;
  }
  next_offset_ = piece.offset_bytes() + static_cast<int64_t>(data.size());
}

void LineSplitter::End(std::deque<LogLine>& lines) {
  if (std::exchange(is_open_, false)) {
    lines.push_back(std::exchange(open_, {}));
  }
}

}  // namespace berth
