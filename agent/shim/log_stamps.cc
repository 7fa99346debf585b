#include "agent/shim/log_stamps.h"

#include <algorithm>

#include "agent/shim/rank_log.h"
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace berth {

std::string LogStampPath(const std::string& log_path, int64_t begin) {
  return LogSegmentPath(log_path, begin) + ".stamps";
}

StampWriter::~StampWriter() {
  BeginSegment(0);
}

void StampWriter::BeginSegment(int64_t begin) {
  if (file_ >= 0) {
    close(file_);
  }
  file_ = -1;
  begin_ = begin;
  tried_ = false;
  size_ = 0;
  last_.offset = -1;  // its time stays: it is a bound for the next
}

void StampWriter::Stamp(int64_t offset, int64_t now_us) {
  const bool close_by = last_.offset >= 0 && offset - last_.offset < kBytesApart &&
                        now_us - last_.time_us < kTimeApartUs;
  if (close_by) {
    return;
  }
  if (file_ < 0 && !tried_) {
    tried_ = true;
    file_ = open(LogStampPath(log_path_, begin_).c_str(),
                 O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
    struct stat info {};
    // Behind whole records only, if the file was there.
    size_ = file_ >= 0 && fstat(file_, &info) == 0
                ? info.st_size - info.st_size % static_cast<int64_t>(sizeof(StampRecord))
                : 0;
  }
  last_ = {.offset = offset, .time_us = std::max(now_us, last_.time_us)};
  if (file_ >= 0 && pwrite(file_, &last_, sizeof(last_), size_) == sizeof(last_)) {
    size_ += sizeof(last_);
  }
}

}  // namespace berth
