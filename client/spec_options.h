#ifndef BERTH_CLIENT_SPEC_OPTIONS_H_
#define BERTH_CLIENT_SPEC_OPTIONS_H_

// Job options -> the specification of a job. Every bad value is an error at its place.

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

#include "client/option.h"
#include "client/submission.h"
#include "proto/client_api.pb.h"

namespace berth {

// What the scheduler takes of one job.
inline constexpr int kJobNodesMax = 4096;
inline constexpr int kJobDevicesMax = 64;  // on each node
inline constexpr int kJobPriorityMax = 1000;

// Everything but what runs (script, command) and whom it waits for.
absl::StatusOr<v1::SubmitJobRequest> ReadSpec(const Arguments& arguments,
                                              const SubmissionSource& source);
// The folder of --workdir that is to be uploaded, absolute: one that is given by a relative path.
// Empty: none.
std::string FindUploadFolder(const Arguments& arguments, const SubmissionSource& source);
// --upload-max, or its default, in bytes.
absl::StatusOr<int64_t> ReadUploadMax(const Arguments& arguments);
// --after, in the order given.
absl::StatusOr<std::vector<NamedDependency>> ReadDependencies(const Arguments& arguments);

}  // namespace berth

#endif  // BERTH_CLIENT_SPEC_OPTIONS_H_
