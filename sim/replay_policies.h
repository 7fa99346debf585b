#ifndef BERTH_SIM_REPLAY_POLICIES_H_
#define BERTH_SIM_REPLAY_POLICIES_H_

// The policies of `berth-sim replay` by name.

#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "sim/policies/replay_policy.h"

namespace berth::sim {

struct ReplayPolicy {
  const char* name;
  const char* summary;
  Replay (*run)(const ReplayInput& input);
};

const std::vector<ReplayPolicy>& ReplayPolicies();
// An error names the policies there are.
absl::StatusOr<ReplayPolicy> FindReplayPolicy(absl::string_view name);

}  // namespace berth::sim

#endif  // BERTH_SIM_REPLAY_POLICIES_H_
