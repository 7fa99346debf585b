#ifndef BERTH_SCHEDULER_STORE_FILE_STEPS_H_
#define BERTH_SCHEDULER_STORE_FILE_STEPS_H_

// Steps with files that are durable when they return OK. Errors: ResourceExhausted for a full disk,
// else FailedPrecondition; both name the file.

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace berth {

// A refusal in the form of every other: what, why, fix.
absl::Status Refuse(absl::string_view code, absl::string_view message, absl::string_view why,
                    absl::string_view fix);
// From errno.
absl::Status SystemError(int error, absl::string_view message);

// The folder of a path; "." if it names none.
std::string FolderOf(const std::string& path);

// Creates an empty file beside `path`, mode 0600, under a name that no other has.
absl::StatusOr<std::string> MakeDraft(const std::string& path);
// Gives a whole draft its name; AlreadyExists if there is such a file. The draft's name is gone.
absl::Status PublishDraft(const std::string& draft, const std::string& path);
absl::Status CopyFile(const std::string& from, const std::string& to);
absl::Status SyncFile(const std::string& path);
absl::Status SyncFolder(const std::string& folder);

}  // namespace berth

#endif  // BERTH_SCHEDULER_STORE_FILE_STEPS_H_
