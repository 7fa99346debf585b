#ifndef BERTH_AGENT_STAMP_READER_H_
#define BERTH_AGENT_STAMP_READER_H_

// The times of one rank's log, from the files that its shim writes beside it (shim/log_stamps.h).
// Where such a file is missing nobody knows them. Owned by a LogReader, used on its thread.

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "agent/shim/log_stamps.h"

namespace berth {

class StampReader {
 public:
  // As many stamps as one piece of a log has at most.
  static constexpr size_t kStampsMax = 1024;

  explicit StampReader(std::string log_path) : log_path_(std::move(log_path)) {}
  StampReader(StampReader&& other) noexcept;
  StampReader& operator=(StampReader&& other) noexcept;
  ~StampReader();

  // The stamps that hold for the bytes from `begin` to `end`, all of one segment and read before:
  // the first is that of `begin`, if it has one. Returns up to where `stamps` tell everything,
  // which is `end` unless there are more than kStampsMax. Requires: never an earlier `begin` than
  // before.
  int64_t Read(int64_t segment_begin, int64_t begin, int64_t end, std::vector<StampRecord>& stamps);

  struct Found {
    bool any = false;     // the segment has stamps
    int64_t offset = -1;  // of the first bytes that came at the time or later; -1: none
  };
  // In one segment.
  static Found FindFirst(const std::string& log_path, int64_t segment_begin, int64_t time_us);

 private:
  // Makes `segment_begin` the segment in use. False: it has no stamps yet.
  bool Open(int64_t segment_begin);

  std::string log_path_;
  int file_ = -1;
  int64_t segment_begin_ = -1;
  int64_t index_ = 0;  // of the last record that was of use in it
};

}  // namespace berth

#endif  // BERTH_AGENT_STAMP_READER_H_
