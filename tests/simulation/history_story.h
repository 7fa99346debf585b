#ifndef BERTH_TESTS_SIMULATION_HISTORY_STORY_H_
#define BERTH_TESTS_SIMULATION_HISTORY_STORY_H_

// A history in words, for whoever looks at one that broke a property.

#include <string>

#include "absl/status/statusor.h"

#include "scheduler/core/event.h"
#include "scheduler/core/plan.h"
#include "tests/simulation/plan_checks.h"

namespace berth {

// What the center is: its nodes, and what its tenants own.
std::string DescribeCenter(const Cluster& cluster);
// What somebody asks, and the answer.
std::string DescribeRequest(const UserEvent& event, const absl::StatusOr<Outcome>& outcome);
// What waits, what runs and what a plan decides; a line each.
std::string DescribeRound(const PlanView& view);

}  // namespace berth

#endif  // BERTH_TESTS_SIMULATION_HISTORY_STORY_H_
