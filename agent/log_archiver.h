#ifndef BERTH_AGENT_LOG_ARCHIVER_H_
#define BERTH_AGENT_LOG_ARCHIVER_H_

// Brings the logs of ended attempts into the center's archive, in its own time: no task waits for
// it. What the archive does not take stays on the node and is tried again, less and less often.
// Owned by the Agent; the loop's thread, and one more that the archive's file system may hold up.

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "agent/executor/event_loop.h"
#include "agent/executor/log_archive.h"
#include "agent/log_reader.h"
#include "common/backoff.h"
#include "common/program.h"

namespace berth {

// What a node has whose archive works, among its facilities.
inline constexpr char kFacilityLogArchive[] = "log-archive";

class LogArchiver {
 public:
  struct Actions {
    std::function<bool(uint64_t allocation_id)> is_under_way;
    std::function<void(bool works)> on_change;  // the archive takes logs now, or does not any more
  };

  // `log_dir`: empty: there is no archive. `keep`: how long logs stay there that this node brings.
  LogArchiver(std::string data_dir, std::string log_dir, absl::Duration keep, EventLoop& loop,
              Actions actions);
  LogArchiver(const LogArchiver&) = delete;
  LogArchiver& operator=(const LogArchiver&) = delete;
  // Gives up the copy that is under way.
  ~LogArchiver() { stop_ = true; }
  // Looks from now on, for as long as the loop runs.
  void Start();

  // The log that the request names, of this node or else of the archive; `done` gets it, at once or
  // later. NotFound: neither has it.
  using Done = std::function<void(absl::StatusOr<LogReader>)>;
  void OpenLog(const v1::OpenLog& request, Done done);

 private:
  void Look();
  void Archive(std::vector<UnarchivedLogs> ended, bool removes);
  void RemoveOld();
  void OnArchived(int left, const absl::Status& status);

  const std::string data_dir_;
  const std::string log_dir_;
  const absl::Duration keep_;
  EventLoop& loop_;
  const Actions actions_;
  Backoff backoff_;
  absl::Duration next_try_;      // since boot
  absl::Duration next_removal_;  // since boot
  bool works_ = false;
  bool archiving_ = false;
  std::atomic<bool> stop_ = false;
  ProgramThreads threads_;
};

}  // namespace berth

#endif  // BERTH_AGENT_LOG_ARCHIVER_H_
