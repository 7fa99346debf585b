#include "agent/shim/rank_log.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <ctime>

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace berth {
namespace {

// As much as a process may write before it waits for the shim, and the most of one turn.
constexpr int kPipeBytes = 1 << 20;
constexpr int64_t kMoveBytes = 1 << 20;

int64_t WallClockMicros() {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  return static_cast<int64_t>(now.tv_sec) * 1'000'000 + now.tv_nsec / 1000;
}

void CloseIfOpen(int& descriptor) {
  if (descriptor >= 0) {
    close(descriptor);
    descriptor = -1;
  }
}

}  // namespace

std::string LogSegmentPath(const std::string& path, int64_t begin) {
  if (begin == 0) {
    return path;
  }
  char suffix[24];
  std::snprintf(suffix, sizeof(suffix), ".%015lld", static_cast<long long>(begin));
  return path + suffix;
}

RankLog::~RankLog() {
  CloseIfOpen(reader_);
  CloseIfOpen(writer_);
  CloseIfOpen(file_);
}

bool RankLog::Open(int64_t user_id, int64_t group_id) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) {
    return false;
  }
  reader_ = ends[0];
  writer_ = ends[1];
  fcntl(reader_, F_SETFL, O_NONBLOCK);
  fcntl(reader_, F_SETPIPE_SZ, kPipeBytes);  // less is slower and as good
  if (user_id >= 0 &&
      fchown(writer_, static_cast<uid_t>(user_id), static_cast<gid_t>(group_id)) != 0) {
    return false;
  }
  begins_.push_back(0);
  return OpenSegment();
}

void RankLog::CloseWriter() {
  CloseIfOpen(writer_);
}

bool RankLog::OpenSegment() {
  CloseIfOpen(file_);
  file_ = open(LogSegmentPath(path_, begins_.back()).c_str(),
               O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
  struct stat info {};
  size_ = file_ >= 0 && fstat(file_, &info) == 0 ? info.st_size : 0;
  return file_ >= 0;
}

void RankLog::Pump() {
  Move(kMoveBytes);
}

void RankLog::Drain() {
  while (reader_ >= 0 && Move(kMoveBytes)) {
  }
  NoteDropped();
}

void RankLog::BeginNextSegment() {
  begins_.push_back(begins_.back() + size_);
  stamps_.BeginSegment(begins_.back());
  OpenSegment();
  if (static_cast<int64_t>(begins_.size()) > std::max<int64_t>(segments_max_, 1)) {
    unlink(LogSegmentPath(path_, begins_.front()).c_str());
    unlink(LogStampPath(path_, begins_.front()).c_str());
    begins_.pop_front();
  }
}

void RankLog::StampNext() {
  int waiting = 0;
  if (ioctl(reader_, FIONREAD, &waiting) == 0 && waiting > 0) {
    stamps_.Stamp(begins_.back() + size_, WallClockMicros());
  }
}

bool RankLog::Move(int64_t bytes_max) {
  if (segment_bytes_ > 0 && std::max(size_, stamps_.size()) >= segment_bytes_) {
    BeginNextSegment();
  }
  if (file_ < 0 && !OpenSegment()) {
    return Drop();
  }
  StampNext();
  const int64_t room = segment_bytes_ > 0 ? segment_bytes_ - size_ : bytes_max;
  off64_t offset = size_;
  const ssize_t moved = splice(reader_, nullptr, file_, &offset,
                               static_cast<size_t>(std::min(room, bytes_max)), SPLICE_F_NONBLOCK);
  if (moved > 0) {
    size_ += moved;
    NoteDropped();
    return true;
  }
  if (moved == 0) {
    CloseIfOpen(reader_);  // no process is left that could write
    return false;
  }
  if (errno == EAGAIN || errno == EINTR) {
    return false;
  }
  return Drop();
}

bool RankLog::Drop() {
  char bytes[65536];
  const ssize_t size = read(reader_, bytes, sizeof(bytes));
  dropped_ += std::max<ssize_t>(size, 0);
  if (size == 0) {
    CloseIfOpen(reader_);
  }
  return size > 0;
}

void RankLog::NoteDropped() {
  if (dropped_ == 0 || file_ < 0) {
    return;
  }
  char note[128];
  const int length = std::snprintf(note, sizeof(note),
                                   "\n[berth: %lld bytes of the log are lost: the disk was full]\n",
                                   static_cast<long long>(dropped_));
  const ssize_t written = pwrite(file_, note, static_cast<size_t>(length), size_);
  size_ += std::max<ssize_t>(written, 0);
  dropped_ = written == length ? 0 : dropped_;
}

}  // namespace berth
