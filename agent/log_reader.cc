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

constexpr int64_t kChunkBytes = 64 << 10;
constexpr int kTailLines = 20;
constexpr size_t kTailBytesMax = 4096;

int OpenFile(const std::string& path) {
  return open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
}

int64_t SizeOf(int file) {
  struct stat info {};
  return fstat(file, &info) == 0 ? info.st_size : 0;
}

}  // namespace

absl::StatusOr<LogReader> LogReader::Open(absl::string_view data_dir, const v1::OpenLog& request) {
  LogReader reader(
      TaskFolder::LogPathOf(data_dir, request.job_id(), request.attempt(), request.rank()),
      TaskFolder::PathOf(data_dir, request.job_id(), request.attempt()));
  const std::vector<Segment> segments = reader.ListSegments();
  if (segments.empty()) {
    return absl::NotFoundError(absl::StrCat("this node has no log of job ", request.job_id(),
                                            " attempt ", request.attempt(), " rank ",
                                            request.rank()));
  }
  const int64_t end = segments.back().begin + segments.back().size;
  reader.offset_ = std::clamp<int64_t>(request.offset_bytes(), 0, end);
  if (request.tail_lines() == 0) {
    reader.offset_ = end;
  } else if (request.tail_lines() > 0) {
    reader.offset_ = reader.FindTail(request.tail_lines());
  }
  reader.Seek();
  return reader;
}

LogReader::LogReader(LogReader&& other) noexcept
    : path_(std::move(other.path_)),
      task_folder_(std::move(other.task_folder_)),
      file_(std::exchange(other.file_, -1)),
      begin_(other.begin_),
      offset_(other.offset_) {}

LogReader& LogReader::operator=(LogReader&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(task_folder_, other.task_folder_);
  std::swap(file_, other.file_);
  std::swap(begin_, other.begin_);
  std::swap(offset_, other.offset_);
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

// Where the last `lines` lines begin.
int64_t LogReader::FindTail(int64_t lines) const {
  const std::vector<Segment> segments = ListSegments();
  const int64_t stream_end = segments.back().begin + segments.back().size;
  std::string chunk;
  int64_t seen = 0;
  for (auto segment = segments.rbegin(); segment != segments.rend(); ++segment) {
    const int file = OpenFile(LogSegmentPath(path_, segment->begin));
    for (int64_t end = file < 0 ? 0 : segment->size; end > 0;) {
      const int64_t begin = std::max<int64_t>(end - kChunkBytes, 0);
      chunk.resize(static_cast<size_t>(end - begin));
      const ssize_t got = pread(file, chunk.data(), chunk.size(), begin);
      chunk.resize(static_cast<size_t>(std::max<ssize_t>(got, 0)));
      for (auto at = static_cast<int64_t>(chunk.size()) - 1; at >= 0; --at) {
        // The line break at the very end closes the last line, it begins none.
        const int64_t next = segment->begin + begin + at + 1;
        if (chunk[static_cast<size_t>(at)] == '\n' && next != stream_end && ++seen == lines) {
          close(file);
          return next;
        }
      }
      end = begin;
    }
    if (file >= 0) {
      close(file);
    }
  }
  return segments.front().begin;
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
