#ifndef BERTH_CLIENT_SPEC_OPTIONS_H_
#define BERTH_CLIENT_SPEC_OPTIONS_H_

// Job options as changes of a job's specification. Every bad value is an error at its place.

#include "absl/status/status.h"

#include "client/option.h"
#include "client/submission.h"
#include "proto/client_api.pb.h"

namespace berth {

// What the scheduler takes of one job.
inline constexpr int kJobNodesMax = 4096;
inline constexpr int kJobDevicesMax = 64;  // on each node
inline constexpr int kJobPriorityMax = 1000;

// What a job is for which no option is given: one device of one node.
v1::JobSpec DefaultSpec();

// Puts what the options name into the request; what they do not name stays. Everything but what
// runs (script, command) and whom it waits for.
absl::Status ApplyOptions(const Arguments& arguments, const SubmissionSource& source,
                          v1::SubmitJobRequest& request);

}  // namespace berth

#endif  // BERTH_CLIENT_SPEC_OPTIONS_H_
