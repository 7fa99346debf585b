#ifndef BERTH_AGENT_LAUNCH_OPTIONS_H_
#define BERTH_AGENT_LAUNCH_OPTIONS_H_

// What the launcher must know, from the configuration and the machine.

#include "absl/status/statusor.h"

#include "agent/agent_options.h"
#include "agent/task_launcher.h"

namespace berth {

// FailedPrecondition: no shim that can be executed, no such user, or root for the tasks' user.
absl::StatusOr<LaunchOptions> MakeLaunchOptions(const AgentOptions& options,
                                                const v1::NodeFacts& facts);

}  // namespace berth

#endif  // BERTH_AGENT_LAUNCH_OPTIONS_H_
