#ifndef BERTH_CLIENT_SPEC_OPTIONS_H_
#define BERTH_CLIENT_SPEC_OPTIONS_H_

// Job options -> the specification of a job. Every bad value is an error at its place.

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

}  // namespace berth

#endif  // BERTH_CLIENT_SPEC_OPTIONS_H_
