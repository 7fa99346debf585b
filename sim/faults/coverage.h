#ifndef BERTH_SIM_FAULTS_COVERAGE_H_
#define BERTH_SIM_FAULTS_COVERAGE_H_

// How often each transition of each state machine was taken. A value; sums of many seeds add up.

#include <cstdint>
#include <string>
#include <vector>

#include "agent/core/task_lifecycle.h"
#include "scheduler/core/transition_counts.h"

namespace berth::sim {

struct Transition {
  std::string machine;  // "job", "attempt", "allocation", "node", "member"
  std::string from;
  std::string to;
  int64_t count = 0;
};

class Coverage {
 public:
  void Add(const TransitionCounts& counts);
  void Add(const TaskTransitionCounts& counts);
  void Add(const Coverage& other);
  // Every transition that the tables allow.
  std::vector<Transition> Transitions() const;

 private:
  TransitionCounts scheduler_;
  TaskTransitionCounts agent_;
};

}  // namespace berth::sim

#endif  // BERTH_SIM_FAULTS_COVERAGE_H_
