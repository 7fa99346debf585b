#ifndef BERTH_SCHEDULER_UPLOAD_FILES_H_
#define BERTH_SCHEDULER_UPLOAD_FILES_H_

// What the store of uploads does with the disk. All of it blocks, and leaves errno as it was seen.

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace berth {

// ResourceExhausted if the disk is full, else Internal: for the one who uploads.
absl::Status CannotKeepUpload(int error);

// In order; none if it cannot be read.
std::vector<std::string> NamesIn(const std::string& folder);
// What was made, renamed or removed in it stays so when the power fails.
absl::Status SyncUploadFolder(const std::string& path);
absl::Status WriteAll(int file, absl::string_view data);
// The last use is the time of the file. False: it is not there.
bool Touch(const std::string& path, absl::Time now);

}  // namespace berth

#endif  // BERTH_SCHEDULER_UPLOAD_FILES_H_
