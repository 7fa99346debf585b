#include "agent/stamp_reader.h"

#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace berth {
namespace {

int OpenStamps(const std::string& log_path, int64_t segment_begin) {
  return open(LogStampPath(log_path, segment_begin).c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
}

// Whether the record is there, and whole.
bool ReadRecord(int file, int64_t index, StampRecord& record) {
  constexpr auto kSize = static_cast<ssize_t>(sizeof(StampRecord));
  return pread(file, &record, sizeof(record), index * kSize) == kSize;
}

// The number of records of which `is_before` holds, which are the first ones.
template <typename Predicate>
int64_t CountFirst(int file, const Predicate& is_before) {
  struct stat info {};
  int64_t least = 0;
  int64_t most =
      fstat(file, &info) == 0 ? info.st_size / static_cast<int64_t>(sizeof(StampRecord)) : 0;
  while (least < most) {
    const int64_t middle = least + (most - least) / 2;
    StampRecord record;
    if (ReadRecord(file, middle, record) && is_before(record)) {
      least = middle + 1;
    } else {
      most = middle;
    }
  }
  return least;
}

}  // namespace

StampReader::StampReader(StampReader&& other) noexcept
    : log_path_(std::move(other.log_path_)),
      file_(std::exchange(other.file_, -1)),
      segment_begin_(other.segment_begin_),
      index_(other.index_) {}

StampReader& StampReader::operator=(StampReader&& other) noexcept {
  std::swap(log_path_, other.log_path_);
  std::swap(file_, other.file_);
  std::swap(segment_begin_, other.segment_begin_);
  std::swap(index_, other.index_);
  return *this;
}

StampReader::~StampReader() {
  if (file_ >= 0) {
    close(file_);
  }
}

bool StampReader::Open(int64_t segment_begin) {
  if (segment_begin == segment_begin_ && file_ >= 0) {
    return true;
  }
  if (file_ >= 0) {
    close(file_);
  }
  file_ = OpenStamps(log_path_, segment_begin);
  segment_begin_ = segment_begin;
  index_ = -1;
  return file_ >= 0;
}

int64_t StampReader::Read(int64_t segment_begin, int64_t begin, int64_t end,
                          std::vector<StampRecord>& stamps) {
  stamps.clear();
  if (begin >= end || !Open(segment_begin)) {
    return end;
  }
  if (index_ < 0) {
    const int64_t count =
        CountFirst(file_, [begin](const StampRecord& record) { return record.offset <= begin; });
    index_ = count == 0 ? 0 : count - 1;
  }
  StampRecord record;
  for (int64_t index = index_; ReadRecord(file_, index, record) && record.offset < end; ++index) {
    if (record.offset <= begin) {
      stamps.clear();  // the last that begins before holds
    } else if (stamps.size() >= kStampsMax) {
      return record.offset;
    }
    stamps.push_back(record);
    index_ = index;
  }
  return end;
}

StampReader::Found StampReader::FindFirst(const std::string& log_path, int64_t segment_begin,
                                          int64_t time_us) {
  Found found;
  const int file = OpenStamps(log_path, segment_begin);
  if (file < 0) {
    return found;
  }
  StampRecord record;
  found.any = ReadRecord(file, 0, record);
  const int64_t earlier =
      CountFirst(file, [time_us](const StampRecord& stamp) { return stamp.time_us < time_us; });
  found.offset = ReadRecord(file, earlier, record) ? record.offset : -1;
  close(file);
  return found;
}

}  // namespace berth
