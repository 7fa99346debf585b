#ifndef BERTH_AGENT_EXECUTOR_ARCHIVED_LOGS_H_
#define BERTH_AGENT_EXECUTOR_ARCHIVED_LOGS_H_

// What this node has brought into the center's archive, by records in DATA_DIR/archived, so that it
// can remove that again and nothing else: the folders there are shared by all nodes of a job. A
// record that is lost leaves its logs in the archive for ever.

#include <atomic>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace berth {

// `attempt`: the name of its mark. `folder`: TENANT/JOB/ATTEMPT in the archive, where `names` are.
absl::Status RecordArchived(absl::string_view data_dir, absl::string_view attempt,
                            absl::string_view folder, const std::vector<std::string>& names);

// Removes from the archive what was recorded before that time, the oldest first, folders that
// become empty, and the records. Through no link below LOG_DIR; what is gone already is no error.
// Ends early when `stop` is set.
absl::Status RemoveArchived(const std::string& data_dir, const std::string& log_dir,
                            absl::Time before, const std::atomic<bool>& stop);

}  // namespace berth

#endif  // BERTH_AGENT_EXECUTOR_ARCHIVED_LOGS_H_
