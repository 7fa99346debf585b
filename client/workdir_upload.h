#ifndef BERTH_CLIENT_WORKDIR_UPLOAD_H_
#define BERTH_CLIENT_WORKDIR_UPLOAD_H_

// Brings a folder to the scheduler: what its tenant has there already is not sent again.

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"

#include "client/api_client.h"
#include "client/folder_scan.h"

namespace berth {

struct UploadResult {
  std::string sha256;  // for JobSpec
  int files = 0;       // whose contents were sent
  int64_t bytes = 0;
};

// Is begun again while the scheduler is away, until `patience.total` has passed without anything
// being sent. FailedPrecondition: a file has changed since the scan.
absl::StatusOr<UploadResult> UploadFolder(ApiClient& api, const ScannedFolder& folder,
                                          const std::string& tenant, const Patience& patience);

// "uploaded 3 of 812 files (41 KiB)"
std::string UploadText(const UploadResult& result, const ScannedFolder& folder);

}  // namespace berth

#endif  // BERTH_CLIENT_WORKDIR_UPLOAD_H_
