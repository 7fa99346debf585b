#ifndef BERTH_CLIENT_COMMANDS_RESUBMISSION_H_
#define BERTH_CLIENT_COMMANDS_RESUBMISSION_H_

// What `retry` and `show --spec` share: a known job as one that can be submitted.

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"

#include "proto/client_api.pb.h"

namespace berth {

// The job's specification as `berth update` left it; of a task, with this task alone. Error: the
// caller may not know all of it.
absl::StatusOr<v1::JobSpec> SpecOfKnown(const v1::GetJobResponse& known);

// Leaves only these tasks of an array, ascending.
void SelectTasks(const std::vector<int32_t>& indexes, v1::JobSpec& spec);

}  // namespace berth

#endif  // BERTH_CLIENT_COMMANDS_RESUBMISSION_H_
