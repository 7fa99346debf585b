#ifndef BERTH_CLIENT_ARRAY_OPTIONS_H_
#define BERTH_CLIENT_ARRAY_OPTIONS_H_

// --array and --matrix: which tasks a job has, and what each is given.

#include "absl/status/status.h"

#include "client/option.h"
#include "proto/job.pb.h"

namespace berth {

// Puts the array and its parameters, if there are any, into the specification.
absl::Status ReadArray(const Arguments& arguments, v1::JobSpec& spec);

}  // namespace berth

#endif  // BERTH_CLIENT_ARRAY_OPTIONS_H_
