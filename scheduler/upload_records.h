#ifndef BERTH_SCHEDULER_UPLOAD_RECORDS_H_
#define BERTH_SCHEDULER_UPLOAD_RECORDS_H_

// The form of a backup's file of uploads (upload_backup.h), and its reader. The file is lines, each
// of which but the first and the last has that many bytes behind it:
//   berth-uploads 1 TAKEN_AT_US
//   content TENANT SHA256 SIZE
//   manifest TENANT SHA256 SIZE     behind all its contents
//   end UPLOADS SHA256              of all before this line

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "scheduler/upload_backup.h"
#include "scheduler/upload_store.h"

namespace berth {

inline constexpr char kUploadsFirstWord[] = "berth-uploads";
inline constexpr char kUploadsContentWord[] = "content";
inline constexpr char kUploadsManifestWord[] = "manifest";
inline constexpr char kUploadsEndWord[] = "end";

struct UploadRecord {
  bool is_manifest = false;  // else a content
  UploadName name;           // of a content: the tenant and the content's own SHA-256
  int64_t size = 0;          // bytes
};

// Where records go, one after the other; an error ends the reading.
struct UploadRecordTaker {
  std::function<absl::Status(const UploadRecord&)> begin;
  std::function<absl::Status(absl::string_view)> add;
  std::function<absl::Status()> end;  // it was as its line says
};

// Reads the whole file. FailedPrecondition: it is none, or damaged, and what was taken of it is of
// no use. Blocks; any thread.
absl::StatusOr<UploadBackupFacts> ReadUploadRecords(const std::string& path,
                                                    const UploadRecordTaker& taker);

}  // namespace berth

#endif  // BERTH_SCHEDULER_UPLOAD_RECORDS_H_
