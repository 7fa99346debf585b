#ifndef BERTH_CLIENT_ARCHIVE_H_
#define BERTH_CLIENT_ARCHIVE_H_

// Files on their way as a tar stream (POSIX.1-1988 ustar, with GNU's long names and large numbers,
// as `tar --format=gnu` writes and every tar reads). Folders, files and symbolic links; nothing
// else is sent, and nothing else is taken.

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace berth {

// Hands the archive of the file or folder `path`, which it calls `name`, to `write` piece by piece,
// which returns false to end it. What is skipped, as a socket, is named in `skipped`.
absl::Status WriteArchive(const std::string& path, const std::string& name,
                          const std::function<bool(const std::string&)>& write,
                          std::vector<std::string>& skipped);

// Unpacks a stream that comes in pieces. It comes from a job, which may send anything: no entry is
// written outside of the target, and no link may lead there.
class ArchiveReader {
 public:
  // What the archive calls `top` becomes `target`: the rest of each name goes below it. With top
  // "." that is every entry. The target's folder exists.
  ArchiveReader(std::string top, std::string target)
      : top_(std::move(top)), target_(std::move(target)) {}
  ~ArchiveReader();
  ArchiveReader(const ArchiveReader&) = delete;
  ArchiveReader& operator=(const ArchiveReader&) = delete;

  // The first error stays.
  absl::Status Take(absl::string_view bytes);
  // DataLoss if the stream broke off, or nothing was in it.
  absl::Status Finish();

 private:
  absl::Status TakeHeader();
  absl::Status BeginEntry(char type, int mode, const std::string& link);
  absl::Status BeginFile(const std::string& path, int mode);
  absl::Status TakeData(absl::string_view data);
  absl::Status EndEntry();
  // Where the entry belongs, or why it is refused.
  absl::StatusOr<std::string> PathOf(const std::string& name);
  absl::Status MakeParents(const std::string& path);

  const std::string top_;
  const std::string target_;
  absl::Status status_;
  std::string header_;     // of the next entry, so far
  std::string name_;       // of the entry
  std::string long_text_;  // what a long name or link entry says, so far
  std::string long_name_;  // for the next entry
  std::string long_link_;
  char type_ = 0;           // of the entry whose data comes; 0: a header comes
  int64_t left_ = 0;        // bytes of data
  int64_t modified_s_ = 0;  // of the file; 0: not told
  int64_t padding_ = 0;     // behind them
  int file_ = -1;
  int64_t entries_ = 0;
  int zero_blocks_ = 0;
};

}  // namespace berth

#endif  // BERTH_CLIENT_ARCHIVE_H_
