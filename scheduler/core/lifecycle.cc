#include "scheduler/core/lifecycle.h"

#include <array>
#include <initializer_list>
#include <utility>

#include "common/check.h"
#include "scheduler/core/enum_names.h"

namespace berth {
namespace {

constexpr std::array<const char*, 12> kJobNames = {
    "held",      "queued",    "dispatching", "starting",  "running",   "stopping",
    "wait-node", "succeeded", "failed",      "cancelled", "timed-out", "dependency-failed"};
constexpr std::array<const char*, 8> kAttemptNames = {
    "none", "created", "preparing", "prepared", "starting", "running", "stopping", "ended"};
constexpr std::array<const char*, 6> kAllocationNames = {"reserved", "sent",      "prepared",
                                                         "running",  "releasing", "released"};
constexpr std::array<const char*, 10> kNodeNames = {
    "pending", "joined",   "reconciling", "ready",       "suspect",
    "lost",    "draining", "drained",     "quarantined", "removed"};

// A bit set of the states that may follow.
template <typename State>
constexpr unsigned Set(std::initializer_list<State> states) {
  unsigned bits = 0;
  for (State state : states) {
    bits |= 1U << static_cast<unsigned>(state);
  }
  return bits;
}

// Rows in the order of the enumerators: the states that may follow each.
using J = JobState;
constexpr std::array<unsigned, 12> kJobMoves = {
    /* held */ Set({J::kQueued, J::kCancelled, J::kDependencyFailed}),
    /* queued; to running: an array, whose tasks have all started */
    Set({J::kHeld, J::kDispatching, J::kRunning, J::kCancelled, J::kDependencyFailed}),
    /* dispatching */ Set({J::kStarting, J::kStopping}),
    /* starting */ Set({J::kRunning, J::kStopping}),
    /* running */ Set({J::kStopping, J::kWaitNode}),
    /* stopping */
    Set({J::kQueued, J::kSucceeded, J::kFailed, J::kCancelled, J::kTimedOut}),
    /* wait-node */ Set({J::kRunning, J::kStopping}),
    /* terminal */ 0, 0, 0, 0, 0};

using T = AttemptState;
constexpr std::array<unsigned, 8> kAttemptMoves = {
    /* none */ Set({T::kCreated}),
    /* created */ Set({T::kPreparing, T::kStarting}),
    /* preparing */ Set({T::kPrepared, T::kStopping}),
    /* prepared */ Set({T::kStarting}),
    /* starting */ Set({T::kRunning, T::kStopping}),
    /* running */ Set({T::kStopping}),
    /* stopping */ Set({T::kEnded}),
    /* ended: the next attempt */ Set({T::kCreated})};

using A = AllocationState;
constexpr std::array<unsigned, 6> kAllocationMoves = {
    /* reserved; ends here in a forecast only, which has no sessions */
    Set({A::kSent, A::kReleasing, A::kReleased}),
    /* sent */ Set({A::kPrepared, A::kRunning, A::kReleasing, A::kReleased}),
    /* prepared */ Set({A::kRunning, A::kReleasing, A::kReleased}),
    /* running */ Set({A::kReleasing, A::kReleased}),
    /* releasing */ Set({A::kReleased}),
    /* released */ 0};

using N = NodeState;
constexpr std::array<unsigned, 10> kNodeMoves = {
    /* pending */ Set({N::kJoined}),
    /* joined */ Set({N::kReconciling}),
    /* reconciling */ Set({N::kReady, N::kDraining, N::kDrained, N::kQuarantined}),
    /* ready */ Set({N::kSuspect, N::kDraining, N::kJoined, N::kQuarantined}),
    /* suspect */
    Set({N::kReady, N::kLost, N::kDraining, N::kDrained, N::kJoined, N::kQuarantined}),
    /* lost */ Set({N::kJoined}),
    /* draining */ Set({N::kDrained, N::kReady, N::kSuspect, N::kJoined, N::kQuarantined}),
    /* drained */ Set({N::kReady, N::kSuspect, N::kJoined, N::kQuarantined}),
    /* quarantined; to lost: on other evidence than its silence */
    Set({N::kJoined, N::kReady, N::kSuspect, N::kLost}),
    /* removed */ 0};

template <typename State, size_t kCount>
bool Allows(const std::array<unsigned, kCount>& moves, State from, State to) {
  return ((moves.at(static_cast<size_t>(from)) >> static_cast<unsigned>(to)) & 1U) != 0;
}

template <typename State>
void Assign(State& state, State to) {
  BERTH_CHECK(CanMove(state, to));
  state = to;
}

}  // namespace

absl::string_view Name(JobState state) {
  return NameIn(kJobNames, state);
}
absl::string_view Name(AttemptState state) {
  return NameIn(kAttemptNames, state);
}
absl::string_view Name(AllocationState state) {
  return NameIn(kAllocationNames, state);
}
absl::string_view Name(NodeState state) {
  return NameIn(kNodeNames, state);
}

std::optional<JobState> FindJobState(absl::string_view name) {
  return FindIn<JobState>(kJobNames, name);
}
std::optional<AttemptState> FindAttemptState(absl::string_view name) {
  return FindIn<AttemptState>(kAttemptNames, name);
}
std::optional<AllocationState> FindAllocationState(absl::string_view name) {
  return FindIn<AllocationState>(kAllocationNames, name);
}
std::optional<NodeState> FindNodeState(absl::string_view name) {
  return FindIn<NodeState>(kNodeNames, name);
}

bool CanMove(JobState from, JobState to) {
  return Allows(kJobMoves, from, to);
}
bool CanMove(AttemptState from, AttemptState to) {
  return Allows(kAttemptMoves, from, to);
}
bool CanMove(AllocationState from, AllocationState to) {
  return Allows(kAllocationMoves, from, to);
}
bool CanMove(NodeState from, NodeState to) {
  return Allows(kNodeMoves, from, to);
}

void Move(JobState& state, JobState to) {
  Assign(state, to);
}
void Move(AttemptState& state, AttemptState to) {
  Assign(state, to);
}
void Move(AllocationState& state, AllocationState to) {
  Assign(state, to);
}
void Move(NodeState& state, NodeState to) {
  Assign(state, to);
}

bool IsTerminal(JobState state) {
  return kJobMoves.at(static_cast<size_t>(state)) == 0;
}

bool IsConnected(NodeState state) {
  return state == NodeState::kJoined || state == NodeState::kReconciling ||
         state == NodeState::kReady || state == NodeState::kDraining ||
         state == NodeState::kDrained;
}

bool IsActive(JobState state) {
  return !IsTerminal(state) && state != JobState::kHeld && state != JobState::kQueued;
}

}  // namespace berth
