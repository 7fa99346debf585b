#ifndef BERTH_AGENT_EXECUTOR_LOG_ARCHIVE_H_
#define BERTH_AGENT_EXECUTOR_LOG_ARCHIVE_H_

// The center's archive of logs, a folder on a file system that all nodes share:
// LOG_DIR/TENANT/JOB/ATTEMPT/rank-RRRRR.log, with its segments and stamps under the names that they
// have on the node. Every attempt that begins here leaves a mark, DATA_DIR/unarchived/
// JOB.ATTEMPT.ALLOCATION, until its logs are there: no crash loses one. Any thread; the archive may
// block for as long as its file system does.

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace berth {

struct UnarchivedLogs {
  uint64_t job = 0;
  int attempt = 0;
  uint64_t allocation_id = 0;
};

// The logs are the tenant's; members of the group (-1: nobody) may read them in the archive. Not
// forced to the disk: what a crash of the node loses of it are the logs of its last seconds.
absl::Status MarkUnarchived(absl::string_view data_dir, const UnarchivedLogs& logs,
                            absl::string_view tenant, int64_t group_id);
// Every mark, in no order.
std::vector<UnarchivedLogs> ListUnarchived(absl::string_view data_dir);
// For a node that has no archive: nothing waits for one.
void ForgetUnarchived(absl::string_view data_dir);

// Whether files can be made in the archive.
absl::Status CheckArchive(const std::string& log_dir);

// Copies the logs, each under another name first and forced to the disk, and takes the mark away.
// Belongs to root or the agent's own user; through no link below LOG_DIR. What is there under a
// log's name is replaced. Cancelled: `stop` was set. Else what is missing is tried again by another
// call. `records`: RemoveArchived finds them later. Requires: nothing of the attempt writes any
// more.
absl::Status ArchiveLogs(const std::string& data_dir, const std::string& log_dir,
                         const UnarchivedLogs& logs, bool records, const std::atomic<bool>& stop);

// The folder of an attempt in the archive. NotFound: it is not there.
absl::StatusOr<std::string> FindArchivedLogs(const std::string& log_dir, uint64_t job, int attempt);

}  // namespace berth

#endif  // BERTH_AGENT_EXECUTOR_LOG_ARCHIVE_H_
