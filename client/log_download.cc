#include "client/log_download.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <map>
#include <memory>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

#include "client/log_sources.h"
#include "client/rank_failures.h"
#include "client/text.h"
#include "common/error_detail.h"
#include "common/status_macros.h"
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

namespace berth {
namespace {

// Enough to keep a network busy, and little beside what one token may read.
constexpr size_t kLogsAtOnce = 8;

absl::Status CannotWrite(const std::string& path, absl::string_view why, absl::string_view fix) {
  return MakeError(absl::StatusCode::kInternal,
                   {.code = "B1308",
                    .message = absl::StrCat("cannot write ", CleanText(path)),
                    .why = why,
                    .fix = fix});
}

absl::Status IsThere(const std::string& path) {
  return MakeError(absl::StatusCode::kAlreadyExists,
                   {.code = "B1308",
                    .message = absl::StrCat(CleanText(path), " is there already"),
                    .why = "a download overwrites nothing",
                    .fix = "name another folder, or remove the file"});
}

std::string ErrnoText() {
  return std::error_code(errno, std::generic_category()).message();
}

// A log on its way into its file. What has not been completed is removed.
class LogFile {
 public:
  explicit LogFile(std::string path) : path_(std::move(path)), part_(path_ + ".part") {}
  LogFile(const LogFile&) = delete;
  LogFile& operator=(const LogFile&) = delete;
  ~LogFile() {
    if (file_ >= 0) {
      unlink(part_.c_str());
      close(file_);
    }
  }

  absl::Status Open() {
    file_ = open(part_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (file_ < 0) {
      return CannotWrite(part_, ErrnoText(), "");
    }
    // One that was interrupted is begun again; one that is under way is not.
    if (flock(file_, LOCK_EX | LOCK_NB) != 0) {
      close(std::exchange(file_, -1));
      return CannotWrite(part_, "another download writes it",
                         "wait for it, or name another folder");
    }
    return ftruncate(file_, 0) == 0 ? absl::OkStatus() : CannotWrite(part_, ErrnoText(), "");
  }

  absl::Status Write(absl::string_view data) {
    while (!data.empty()) {
      const ssize_t count = write(file_, data.data(), data.size());
      if (count < 0 && errno == EINTR) {
        continue;
      }
      if (count <= 0) {
        return CannotWrite(part_, ErrnoText(), "make room, and download again");
      }
      data.remove_prefix(static_cast<size_t>(count));
      size_ += count;
    }
    return absl::OkStatus();
  }

  absl::Status Complete() {
    if (renameat2(AT_FDCWD, part_.c_str(), AT_FDCWD, path_.c_str(), RENAME_NOREPLACE) != 0) {
      return errno == EEXIST ? IsThere(path_) : CannotWrite(path_, ErrnoText(), "");
    }
    close(std::exchange(file_, -1));
    return absl::OkStatus();
  }

  const std::string& path() const { return path_; }
  int64_t size() const { return size_; }

 private:
  const std::string path_;
  const std::string part_;
  int file_ = -1;
  int64_t size_ = 0;
};

class LogDownload {
 public:
  LogDownload(Context& context, ApiClient& api, const LogQuery& query, const std::string& folder)
      : context_(context),
        query_(query),
        folder_(folder),
        sources_(api, {}),
        failures_(query.ranks.size()) {}

  absl::StatusOr<int> Run() {
    RETURN_IF_ERROR(CheckFolder());
    while (next_ < query_.ranks.size() || !files_.empty()) {
      RETURN_IF_ERROR(Step());
    }
    ASSIGN_OR_RETURN(const int code, failures_.Result(context_));
    RETURN_IF_ERROR(PrintFiles());
    return code;
  }

 private:
  std::string PathOf(size_t log) const {
    return absl::StrCat(folder_, "/rank-", query_.ranks[log], ".log");
  }

  // Before anything is fetched.
  absl::Status CheckFolder() const {
    std::error_code error;
    std::filesystem::create_directories(folder_, error);
    if (error) {
      return CannotWrite(folder_, error.message(), "");
    }
    for (size_t log = 0; log < query_.ranks.size(); ++log) {
      if (std::filesystem::exists(std::filesystem::symlink_status(PathOf(log), error))) {
        return IsThere(PathOf(log));
      }
    }
    return absl::OkStatus();
  }

  absl::Status Step() {
    while (next_ < query_.ranks.size() && files_.size() < kLogsAtOnce) {
      RETURN_IF_ERROR(Begin(next_++));
    }
    const auto event = sources_.Next(failures_.TellTime());
    if (event.has_value()) {
      RETURN_IF_ERROR(Take(*event));
    }
    if (absl::Now() >= failures_.TellTime()) {
      failures_.Tell(context_);
    }
    return absl::OkStatus();
  }

  absl::Status Begin(size_t log) {
    auto file = std::make_unique<LogFile>(PathOf(log));
    RETURN_IF_ERROR(file->Open());
    files_[log] = std::move(file);
    v1::StreamLogsRequest request = query_.request;
    request.set_rank(query_.ranks[log]);
    sources_.Open(log, request);
    return absl::OkStatus();
  }

  absl::Status Take(const LogSources::Event& event) {
    const size_t log = event.log.log;
    LogFile& file = *files_.at(log);
    if (event.lost_bytes > 0) {
      TellLostBytes(context_, query_.ranks[log], event.lost_bytes);
    }
    if (!event.log.ended) {
      RETURN_IF_ERROR(file.Write(event.log.piece.data()));
      sources_.Want(log);
      return absl::OkStatus();
    }
    if (event.log.status.ok()) {
      RETURN_IF_ERROR(file.Complete());
      done_[log] = {.path = file.path(), .size = file.size()};
    } else {
      failures_.Add(query_.ranks[log], event.log.status, absl::Now());
    }
    files_.erase(log);
    return absl::OkStatus();
  }

  absl::Status PrintFiles() {
    Listing listing{
        .kind = "LogFileList",
        .columns = {Right("RANK"), Right("BYTES"), Left("FILE")},
        .rows = {            },
        .name_field = "file"
    };
    for (const auto& [log, file] : done_) {
      Json json;
      json["rank"] = query_.ranks[log];
      json["file"] = file.path;
      json["size_bytes"] = file.size;
      listing.rows.push_back({
          .json = std::move(json),
          .cells = {absl::StrCat(query_.ranks[log]), absl::StrCat(file.size), file.path}
      });
    }
    return context_.Print(listing);
  }

  struct DoneFile {
    std::string path;
    int64_t size = 0;
  };

  Context& context_;
  const LogQuery& query_;
  const std::string folder_;
  LogSources sources_;
  RankFailures failures_;
  size_t next_ = 0;  // rank that was not begun
  std::map<size_t, std::unique_ptr<LogFile>> files_;
  std::map<size_t, DoneFile> done_;
};

}  // namespace

absl::StatusOr<int> DownloadLogs(Context& context, const LogQuery& query,
                                 const std::string& folder) {
  ASSIGN_OR_RETURN(ApiClient* const api, context.Api());
  return LogDownload(context, *api, query, folder).Run();
}

}  // namespace berth
