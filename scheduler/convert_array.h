#ifndef BERTH_SCHEDULER_CONVERT_ARRAY_H_
#define BERTH_SCHEDULER_CONVERT_ARRAY_H_

// The part of a submission that makes an array of it: its indexes and its parameters. Of these the
// core has the indexes only; the agents read the values from the payload.

#include "absl/status/statusor.h"

#include "proto/job.pb.h"
#include "scheduler/core/job.h"

namespace berth {

// count is 0 where the job is no array.
absl::StatusOr<ArrayRange> ToArrayRange(const v1::JobSpec& spec);

}  // namespace berth

#endif  // BERTH_SCHEDULER_CONVERT_ARRAY_H_
