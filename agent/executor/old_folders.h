#ifndef BERTH_AGENT_EXECUTOR_OLD_FOLDERS_H_
#define BERTH_AGENT_EXECUTOR_OLD_FOLDERS_H_

// What jobs that are over leave on a node: logs, output, work. It stays for a while, and not for
// ever.

#include <atomic>
#include <string>

#include "absl/time/time.h"

namespace berth {

// Removes the folders of jobs (DATA_DIR/jobs/JOB) of which nothing is under way here any more and
// whose last attempt left this node before `before`, and whose logs wait for no archive. Returns
// how many. Blocks; any thread; through no link; returns early once `stop` is set.
int RemoveOldJobFolders(const std::string& data_dir, absl::Time before,
                        const std::atomic<bool>& stop);

}  // namespace berth

#endif  // BERTH_AGENT_EXECUTOR_OLD_FOLDERS_H_
