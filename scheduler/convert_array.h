#ifndef BERTH_SCHEDULER_CONVERT_ARRAY_H_
#define BERTH_SCHEDULER_CONVERT_ARRAY_H_

// The part of a submission that makes an array of it: its indexes and its parameters. Of these the
// core has the indexes only; the agents read the values from the payload.

#include <vector>

#include "absl/status/statusor.h"

#include "proto/job.pb.h"
#include "scheduler/core/job.h"

namespace berth {

// count is 0 where the job is no array.
absl::StatusOr<ArrayRange> ToArrayRange(const v1::JobSpec& spec);

// Of tasks that are named: one range or more, which ascend.
absl::StatusOr<std::vector<IndexRange>> ToIndexRanges(
    const google::protobuf::RepeatedPtrField<v1::IndexRange>& messages);

}  // namespace berth

#endif  // BERTH_SCHEDULER_CONVERT_ARRAY_H_
