#include "agent/log_reader.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"

#include "agent/executor/task_folder.h"
#include "agent/shim/shim_protocol.h"
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace berth {
namespace {

constexpr int64_t kChunkBytes = 64 << 10;

// Where the last `lines` lines begin.
int64_t TailOffset(int file, int64_t size, int64_t lines) {
  std::string chunk;
  int64_t seen = 0;
  for (int64_t end = size; end > 0;) {
    const int64_t begin = std::max<int64_t>(end - kChunkBytes, 0);
    chunk.resize(static_cast<size_t>(end - begin));
    const ssize_t got = pread(file, chunk.data(), chunk.size(), begin);
    if (got != static_cast<ssize_t>(chunk.size())) {
      return begin;
    }
    for (int64_t at = end - 1; at >= begin; --at) {
      // The line break at the very end closes the last line, it begins none.
      if (chunk[static_cast<size_t>(at - begin)] == '\n' && at != size - 1 && ++seen == lines) {
        return at + 1;
      }
    }
    end = begin;
  }
  return 0;
}

}  // namespace

absl::StatusOr<LogReader> LogReader::Open(absl::string_view data_dir, const v1::OpenLog& request) {
  const std::string path =
      TaskFolder::LogPathOf(data_dir, request.job_id(), request.attempt(), request.rank());
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (file < 0) {
    return absl::NotFoundError(absl::StrCat("this node has no log of job ", request.job_id(),
                                            " attempt ", request.attempt(), " rank ",
                                            request.rank()));
  }
  struct stat info {};
  fstat(file, &info);
  int64_t offset = std::clamp<int64_t>(request.offset_bytes(), 0, info.st_size);
  if (request.tail_lines() == 0) {
    offset = info.st_size;
  } else if (request.tail_lines() > 0) {
    offset = TailOffset(file, info.st_size, request.tail_lines());
  }
  return LogReader(file, TaskFolder::PathOf(data_dir, request.job_id(), request.attempt()), offset);
}

LogReader::LogReader(LogReader&& other) noexcept
    : file_(std::exchange(other.file_, -1)),
      task_folder_(std::move(other.task_folder_)),
      offset_(other.offset_) {}

LogReader& LogReader::operator=(LogReader&& other) noexcept {
  std::swap(file_, other.file_);
  std::swap(task_folder_, other.task_folder_);
  std::swap(offset_, other.offset_);
  return *this;
}

LogReader::~LogReader() {
  if (file_ >= 0) {
    close(file_);
  }
}

std::string LogReader::ReadNext() {
  std::string chunk(kChunkBytes, '\0');
  const ssize_t got = pread(file_, chunk.data(), chunk.size(), offset_);
  chunk.resize(static_cast<size_t>(std::max<ssize_t>(got, 0)));
  offset_ += static_cast<int64_t>(chunk.size());
  return chunk;
}

// The shim's socket is there as long as anything of the task runs.
bool LogReader::MayGrow() const {
  return access(absl::StrCat(task_folder_, "/", kSocketFileName).c_str(), F_OK) == 0;
}

}  // namespace berth
