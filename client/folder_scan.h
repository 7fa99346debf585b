#ifndef BERTH_CLIENT_FOLDER_SCAN_H_
#define BERTH_CLIENT_FOLDER_SCAN_H_

// What of a folder is to be uploaded, and its manifest.

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

#include "proto/workdir.pb.h"

namespace berth {

inline constexpr int64_t kUploadBytesMax = int64_t{200} << 20;  // unless the caller wants more

struct ScannedFolder {
  std::string path;
  v1::WorkdirManifest manifest;
  int files = 0;
  std::vector<std::string> skipped;  // sockets, pipes, devices; below the folder
};

// Reads everything once. .gitignore and .berthignore are followed in the folder and below it, .git
// is left out. InvalidArgument: it is larger than `size_max` bytes or has too many entries (with
// the largest ones), or something cannot be read, or is a link that leads out.
absl::StatusOr<ScannedFolder> ScanFolder(const std::string& path, int64_t size_max);

}  // namespace berth

#endif  // BERTH_CLIENT_FOLDER_SCAN_H_
