#include "agent/log_reader.h"

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

#include "agent/executor/task_folder.h"
#include "agent/shim/rank_log.h"
#include "agent/shim/shim_protocol.h"
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace berth {
namespace {

constexpr int kNoFile = -1;
constexpr int64_t kChunkBytes = 64 << 10;
constexpr int kTailLines = 20;
constexpr size_t kTailBytesMax = 4096;

int OpenFile(const std::string& path) {
  return open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
}

class FileCloser {
 public:
  explicit FileCloser(int file) : file_(file) {}
  FileCloser(const FileCloser&) = delete;
  FileCloser& operator=(const FileCloser&) = delete;
  ~FileCloser() {
    if (file_ >= 0) {
      close(file_);
    }
  }

 private:
  const int file_;
};

int64_t SizeOf(int file) {
  struct stat info {};
  return fstat(file, &info) == 0 ? info.st_size : 0;
}

}  // namespace

absl::StatusOr<LogReader> LogReader::Open(absl::string_view data_dir, const v1::OpenLog& request) {
  return OpenIn(TaskFolder::PathOf(data_dir, request.job_id(), request.attempt()), request);
}

absl::StatusOr<LogReader> LogReader::OpenIn(const std::string& folder, const v1::OpenLog& request) {
  LogReader reader(TaskFolder::LogPathIn(folder, request.rank()), folder);
  const std::vector<Segment> segments = reader.ListSegments();
  if (segments.empty()) {
    return absl::NotFoundError(absl::StrCat("this node has no log of job ", request.job_id(),
                                            " attempt ", request.attempt(), " rank ",
                                            request.rank()));
  }
  const int64_t end = segments.back().begin + segments.back().size;
  reader.offset_ = std::clamp<int64_t>(request.offset_bytes(), 0, end);
  reader.with_stamps_ = request.with_stamps();
  if (request.tail_lines() == 0) {
    reader.offset_ = end;
  } else if (request.tail_lines() > 0) {
    reader.offset_ = reader.FindTail(segments, request.tail_lines());
  }
  if (request.since_us() > 0) {
    reader.offset_ = std::max(reader.offset_, reader.FindSince(segments, request.since_us()));
  }
  reader.Seek();
  return reader;
}

LogReader::LogReader(LogReader&& other) noexcept
    : path_(std::move(other.path_)),
      task_folder_(std::move(other.task_folder_)),
      file_(std::exchange(other.file_, -1)),
      begin_(other.begin_),
      offset_(other.offset_),
      stamp_reader_(std::move(other.stamp_reader_)),
      with_stamps_(other.with_stamps_),
      stamps_(std::move(other.stamps_)) {}

LogReader& LogReader::operator=(LogReader&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(task_folder_, other.task_folder_);
  std::swap(file_, other.file_);
  std::swap(begin_, other.begin_);
  std::swap(offset_, other.offset_);
  std::swap(stamp_reader_, other.stamp_reader_);
  std::swap(with_stamps_, other.with_stamps_);
  std::swap(stamps_, other.stamps_);
  return *this;
}

LogReader::~LogReader() {
  if (file_ >= 0) {
    close(file_);
  }
}

std::vector<LogReader::Segment> LogReader::ListSegments() const {
  std::vector<Segment> segments;
  const std::string name = path_.substr(path_.rfind('/') + 1);
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(task_folder_, error)) {
    const std::string file = entry.path().filename().string();
    int64_t begin = 0;
    const bool later = absl::StartsWith(file, name + ".") &&
                       absl::SimpleAtoi(file.substr(name.size() + 1), &begin);
    std::error_code gone;
    const bool regular = std::filesystem::is_regular_file(entry.symlink_status(gone));
    if (regular && (later || file == name)) {
      const auto size = static_cast<int64_t>(entry.file_size(gone));
      segments.push_back({begin, gone ? 0 : size});
    }
  }
  std::sort(segments.begin(), segments.end(),
            [](const Segment& a, const Segment& b) { return a.begin < b.begin; });
  return segments;
}

// Where the line begins that is behind the `count`-th line break, counted back from `end`.
int64_t LogReader::BehindBreak(const std::vector<Segment>& segments, int64_t end,
                               int64_t count) const {
  std::string chunk;
  for (auto segment = segments.rbegin(); segment != segments.rend(); ++segment) {
    const int file =
        segment->begin < end ? OpenFile(LogSegmentPath(path_, segment->begin)) : kNoFile;
    const FileCloser closer(file);
    for (int64_t to = file < 0 ? 0 : std::min(end - segment->begin, segment->size); to > 0;) {
      const int64_t from = std::max<int64_t>(to - kChunkBytes, 0);
      chunk.resize(static_cast<size_t>(to - from));
      const ssize_t got = pread(file, chunk.data(), chunk.size(), from);
      chunk.resize(static_cast<size_t>(std::max<ssize_t>(got, 0)));
      for (size_t at = chunk.rfind('\n'); at != std::string::npos;
           at = at == 0 ? std::string::npos : chunk.rfind('\n', at - 1)) {
        if (--count == 0) {
          return segment->begin + from + static_cast<int64_t>(at) + 1;
        }
      }
      to = from;
    }
  }
  return segments.front().begin;
}

// Where the last `lines` lines begin. The line break at the very end closes the last of them.
int64_t LogReader::FindTail(const std::vector<Segment>& segments, int64_t lines) const {
  const int64_t end = segments.back().begin + segments.back().size;
  const bool is_closed = end > segments.front().begin && BehindBreak(segments, end, 1) == end;
  return BehindBreak(segments, end, is_closed ? lines + 1 : lines);
}

// Where the first line begins that was not whole at `since_us`. A log of which nobody knows when it
// came begins where it begins.
int64_t LogReader::FindSince(const std::vector<Segment>& segments, int64_t since_us) const {
  bool any_stamps = false;
  for (const Segment& segment : segments) {
    const StampReader::Found found = StampReader::FindFirst(path_, segment.begin, since_us);
    any_stamps = any_stamps || found.any;
    if (found.offset >= 0) {
      return BehindBreak(segments, found.offset, 1);
    }
  }
  return any_stamps ? segments.back().begin + segments.back().size : segments.front().begin;
}

void LogReader::Seek() {
  for (const Segment& segment : ListSegments()) {
    if (segment.begin > offset_ || segment.begin + segment.size > offset_) {
      const int file = OpenFile(LogSegmentPath(path_, segment.begin));
      if (file < 0) {
        continue;  // it has just left
      }
      if (file_ >= 0) {
        close(file_);
      }
      file_ = file;
      begin_ = segment.begin;
      offset_ = std::max(offset_, segment.begin);
      return;
    }
  }
}

int64_t LogReader::offset() {
  // At the end of a segment the next one, if it is there, is where the bytes come from.
  if (file_ < 0 || offset_ - begin_ >= SizeOf(file_)) {
    Seek();
  }
  return offset_;
}

std::string LogReader::ReadNext() {
  offset();
  std::string chunk(kChunkBytes, '\0');
  const ssize_t got = file_ < 0 ? 0 : pread(file_, chunk.data(), chunk.size(), offset_ - begin_);
  chunk.resize(static_cast<size_t>(std::max<ssize_t>(got, 0)));
  if (with_stamps_) {
    // After the bytes: their stamps were there before them.
    const int64_t end = offset_ + static_cast<int64_t>(chunk.size());
    const int64_t stamped_end = stamp_reader_.Read(begin_, offset_, end, stamps_);
    chunk.resize(static_cast<size_t>(stamped_end - offset_));
  }
  offset_ += static_cast<int64_t>(chunk.size());
  return chunk;
}

// The shim's socket is there as long as anything of the task runs.
bool LogReader::MayGrow() const {
  return access(absl::StrCat(task_folder_, "/", kSocketFileName).c_str(), F_OK) == 0;
}

std::string ReadLogTail(absl::string_view data_dir, v1::OpenLog request) {
  request.set_tail_lines(kTailLines);
  absl::StatusOr<LogReader> reader = LogReader::Open(data_dir, request);
  std::string tail;
  if (!reader.ok()) {
    return tail;
  }
  for (std::string chunk = reader->ReadNext(); !chunk.empty(); chunk = reader->ReadNext()) {
    tail += chunk;
    tail.erase(0, tail.size() - std::min(tail.size(), kTailBytesMax));
  }
  return tail;
}

}  // namespace berth
