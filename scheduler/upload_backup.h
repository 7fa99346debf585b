#ifndef BERTH_SCHEDULER_UPLOAD_BACKUP_H_
#define BERTH_SCHEDULER_UPLOAD_BACKUP_H_

// The uploaded folders of a backup: one file beside that of the database, with every whole upload
// and the SHA-256 of all of it at its end. Blocks on the disk; any thread. Errors:
// ResourceExhausted for a full disk, FailedPrecondition for a file that is no such backup.

#include <cstdint>
#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace berth {

// Where the uploads of a backup of the database are.
std::string UploadBackupPath(absl::string_view backup);

struct UploadBackupFacts {
  absl::Time taken_at;  // as of the backup of the database that it belongs to
  int64_t uploads = 0;  // manifests, each with all its contents
  int64_t size_bytes = 0;
};

// What `folder` holds while a scheduler works on it: files there never change, and what leaves
// meanwhile was needed by nobody. What is damaged there is left out. The file is made under another
// name, mode 0600, forced to the disk, and replaces no other. Cancelled: `stopping` said so.
absl::StatusOr<UploadBackupFacts> SaveUploads(const std::string& folder, const std::string& path,
                                              absl::Time taken_at,
                                              const std::function<bool()>& stopping);

// Reads all of it and changes nothing.
absl::StatusOr<UploadBackupFacts> VerifyUploads(const std::string& path);

// Adds what `folder` lacks of it, each content and manifest whole or not at all. Once more does no
// harm. `now`: the wall clock, from which on they are kept for as long as any upload.
absl::Status RestoreUploads(const std::string& path, const std::string& folder, absl::Time now);

}  // namespace berth

#endif  // BERTH_SCHEDULER_UPLOAD_BACKUP_H_
