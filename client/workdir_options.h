#ifndef BERTH_CLIENT_WORKDIR_OPTIONS_H_
#define BERTH_CLIENT_WORKDIR_OPTIONS_H_

// The folder a job works in: --workdir, and what of it is uploaded.

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"

#include "client/option.h"
#include "client/submission.h"

namespace berth {

// An absolute path without "." and "..".
std::string CleanPath(const std::string& path);

// The folder of --workdir that is to be uploaded, absolute: one that is given by a relative path.
// Empty: none.
std::string FindUploadFolder(const Arguments& arguments, const SubmissionSource& source);
// --upload-max, or its default, in bytes.
absl::StatusOr<int64_t> ReadUploadMax(const Arguments& arguments);

}  // namespace berth

#endif  // BERTH_CLIENT_WORKDIR_OPTIONS_H_
