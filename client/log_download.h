#ifndef BERTH_CLIENT_LOG_DOWNLOAD_H_
#define BERTH_CLIENT_LOG_DOWNLOAD_H_

// The logs of a job's ranks as files.

#include <string>

#include "absl/status/statusor.h"

#include "client/log_view.h"

namespace berth {

// Writes each rank's log, as the job wrote it, to `folder`/rank-N.log, several at once with one
// piece of each in memory. A file that is there is never touched; one that has its name is whole:
// until then it is rank-N.log.part, and one that fails leaves nothing. A rank whose log cannot be
// read is told on standard error, and the others go on. Returns the exit code.
absl::StatusOr<int> DownloadLogs(Context& context, const LogQuery& query,
                                 const std::string& folder);

}  // namespace berth

#endif  // BERTH_CLIENT_LOG_DOWNLOAD_H_
