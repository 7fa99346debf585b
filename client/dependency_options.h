#ifndef BERTH_CLIENT_DEPENDENCY_OPTIONS_H_
#define BERTH_CLIENT_DEPENDENCY_OPTIONS_H_

// Whom a job waits for: --after.

#include <vector>

#include "absl/status/statusor.h"

#include "client/option.h"
#include "client/submission.h"

namespace berth {

// In the order given.
absl::StatusOr<std::vector<NamedDependency>> ReadDependencies(const Arguments& arguments);

}  // namespace berth

#endif  // BERTH_CLIENT_DEPENDENCY_OPTIONS_H_
