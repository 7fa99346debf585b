#ifndef BERTH_SCHEDULER_CORE_TRANSITION_COUNTS_H_
#define BERTH_SCHEDULER_CORE_TRANSITION_COUNTS_H_

// How often a cluster has taken each transition of its state machines. A value.

#include <array>
#include <cstddef>
#include <cstdint>

#include "scheduler/core/lifecycle.h"

namespace berth {

template <typename State>
class TransitionTable {
 public:
  void Count(State from, State to) { ++At(from, to); }
  int64_t Of(State from, State to) const {
    return counts_[static_cast<size_t>(from)][static_cast<size_t>(to)];
  }
  void Add(const TransitionTable& other) {
    for (size_t from = 0; from < kStatesMax; ++from) {
      for (size_t to = 0; to < kStatesMax; ++to) {
        counts_[from][to] += other.counts_[from][to];
      }
    }
  }

 private:
  static constexpr size_t kStatesMax = 12;
  int64_t& At(State from, State to) {
    return counts_[static_cast<size_t>(from)][static_cast<size_t>(to)];
  }
  std::array<std::array<int64_t, kStatesMax>, kStatesMax> counts_{};
};

struct TransitionCounts {
  TransitionTable<JobState> jobs;
  TransitionTable<AttemptState> attempts;
  TransitionTable<AllocationState> allocations;
  TransitionTable<NodeState> nodes;

  void Count(JobState from, JobState to) { jobs.Count(from, to); }
  void Count(AttemptState from, AttemptState to) { attempts.Count(from, to); }
  void Count(AllocationState from, AllocationState to) { allocations.Count(from, to); }
  void Count(NodeState from, NodeState to) { nodes.Count(from, to); }
  void Add(const TransitionCounts& other) {
    jobs.Add(other.jobs);
    attempts.Add(other.attempts);
    allocations.Add(other.allocations);
    nodes.Add(other.nodes);
  }
};

}  // namespace berth

#endif  // BERTH_SCHEDULER_CORE_TRANSITION_COUNTS_H_
