#ifndef BERTH_SCHEDULER_CORE_LIFECYCLE_H_
#define BERTH_SCHEDULER_CORE_LIFECYCLE_H_

// Every state of a job, an attempt, an allocation and a node, and the transition tables. A state is
// assigned by Move() only, which holds the table.

#include <optional>

#include "absl/strings/string_view.h"

namespace berth {

enum class JobState : uint8_t {
  kHeld,
  kQueued,
  kDispatching,  // allocations exist; members are being prepared
  kStarting,     // every member is prepared and START is durable
  kRunning,
  kStopping,
  kWaitNode,  // its node is silent and the job asked to wait for it
  kSucceeded,
  kFailed,
  kCancelled,
  kTimedOut,
  kDependencyFailed,
};

enum class AttemptState : uint8_t {
  kNone,  // the job has not been dispatched yet
  kCreated,
  kPreparing,
  kPrepared,
  kStarting,
  kRunning,
  kStopping,
  kEnded,
};

enum class AllocationState {
  kReserved,  // durable, not yet on its way to the agent
  kSent,      // may have reached the agent
  kPrepared,
  kRunning,
  kReleasing,  // being stopped; still holds its devices
  kReleased,
};

enum class NodeState {
  kPending,
  kJoined,
  kReconciling,
  kReady,
  kSuspect,
  kLost,
  kDraining,
  kDrained,
  kQuarantined,
  kRemoved,
};

// Lower-kebab words, as users see them in JSON and as the database stores them.
absl::string_view Name(JobState state);
absl::string_view Name(AttemptState state);
absl::string_view Name(AllocationState state);
absl::string_view Name(NodeState state);
std::optional<JobState> FindJobState(absl::string_view name);
std::optional<AttemptState> FindAttemptState(absl::string_view name);
std::optional<AllocationState> FindAllocationState(absl::string_view name);
std::optional<NodeState> FindNodeState(absl::string_view name);

bool CanMove(JobState from, JobState to);
bool CanMove(AttemptState from, AttemptState to);
bool CanMove(AllocationState from, AllocationState to);
bool CanMove(NodeState from, NodeState to);

// Requires: CanMove(state, to).
void Move(JobState& state, JobState to);
void Move(AttemptState& state, AttemptState to);
void Move(AllocationState& state, AllocationState to);
void Move(NodeState& state, NodeState to);

// The job never changes again.
bool IsTerminal(JobState state);
// The node's agent is there, as far as is known.
bool IsConnected(NodeState state);
// The job holds, or is about to give back, devices.
bool IsActive(JobState state);

}  // namespace berth

#endif  // BERTH_SCHEDULER_CORE_LIFECYCLE_H_
