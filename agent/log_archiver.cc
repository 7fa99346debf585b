#include "agent/log_archiver.h"

#include <memory>
#include <utility>

#include "absl/time/clock.h"

#include "agent/executor/archived_logs.h"
#include "common/clock.h"
#include "common/log.h"
#include <unistd.h>

namespace berth {
namespace {

constexpr absl::Duration kArchiveLook = absl::Seconds(2);
constexpr absl::Duration kRetryFirst = absl::Seconds(4);
constexpr absl::Duration kRetryMost = absl::Minutes(5);
constexpr absl::Duration kRemovalPause = absl::Minutes(10);

}  // namespace

LogArchiver::LogArchiver(std::string data_dir, std::string log_dir, absl::Duration keep,
                         EventLoop& loop, Actions actions)
    : data_dir_(std::move(data_dir)),
      log_dir_(std::move(log_dir)),
      keep_(keep),
      loop_(loop),
      actions_(std::move(actions)),
      backoff_(kRetryFirst, kRetryMost, static_cast<uint64_t>(getpid())) {}

void LogArchiver::Start() {
  if (log_dir_.empty()) {
    ForgetUnarchived(data_dir_);
    return;
  }
  Look();
}

void LogArchiver::Look() {
  loop_.RunAfter(kArchiveLook, [this] { Look(); });
  if (archiving_ || SystemClock().SinceBoot() < next_try_) {
    return;
  }
  std::vector<UnarchivedLogs> ended = ListUnarchived(data_dir_);
  std::erase_if(ended, [this](const UnarchivedLogs& logs) {
    return actions_.is_under_way(logs.allocation_id);
  });
  const bool removes =
      keep_ < absl::InfiniteDuration() && SystemClock().SinceBoot() >= next_removal_;
  if (!ended.empty() || !works_ || removes) {
    Archive(std::move(ended), removes);
  }
}

void LogArchiver::Archive(std::vector<UnarchivedLogs> ended, bool removes) {
  archiving_ = true;
  if (removes) {
    next_removal_ = SystemClock().SinceBoot() + kRemovalPause;
  }
  threads_.Start([this, ended = std::move(ended), removes] {
    absl::Status status = CheckArchive(log_dir_);
    int left = static_cast<int>(ended.size());
    if (removes && status.ok()) {
      RemoveOld();
    }
    const size_t count = status.ok() ? ended.size() : 0;
    for (size_t i = 0; i < count && !stop_; ++i) {
      const absl::Status archived =
          ArchiveLogs(data_dir_, log_dir_, ended[i], keep_ < absl::InfiniteDuration(), stop_);
      left -= archived.ok() ? 1 : 0;
      status.Update(archived);
    }
    if (!stop_) {
      loop_.Post([this, left, status] { OnArchived(left, status); });
    }
  });
}

void LogArchiver::RemoveOld() {
  const absl::Time before = absl::Now() - keep_;
  if (const absl::Status status = RemoveArchived(data_dir_, log_dir_, before, stop_);
      !status.ok()) {
    LogWarning("old logs stay in the archive",
               {
                   {"log_dir", log_dir_                     },
                   {"error",   std::string(status.message())}
    });
  }
}

void LogArchiver::OnArchived(int left, const absl::Status& status) {
  archiving_ = false;
  if (status.ok()) {
    backoff_.Reset();
  } else {
    const absl::Duration wait = backoff_.Next();
    next_try_ = SystemClock().SinceBoot() + wait;
    LogWarning("logs wait for the archive", {
                                                {"log_dir",  log_dir_                     },
                                                {"attempts", left                         },
                                                {"error",    std::string(status.message())},
                                                {"again_in", absl::FormatDuration(wait)   }
    });
  }
  if (works_ != status.ok()) {
    works_ = status.ok();
    actions_.on_change(works_);
  }
}

void LogArchiver::OpenLog(const v1::OpenLog& request, Done done) {
  absl::StatusOr<LogReader> here = LogReader::Open(data_dir_, request);
  if (here.ok() || log_dir_.empty()) {
    done(std::move(here));
    return;
  }
  threads_.Start([this, request, done = std::move(done)] {
    absl::StatusOr<std::string> folder =
        FindArchivedLogs(log_dir_, request.job_id(), request.attempt());
    auto reader = std::make_shared<absl::StatusOr<LogReader>>(
        folder.ok() ? LogReader::OpenIn(*folder, request) : folder.status());
    loop_.Post([done, reader] { done(std::move(*reader)); });
  });
}

}  // namespace berth
