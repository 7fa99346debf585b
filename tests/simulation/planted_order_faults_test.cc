// The checks of what people ask for find a center that takes it for something else.

#include <algorithm>
#include <variant>

#include <gtest/gtest.h>

#include "tests/simulation/scheduling_history.h"

namespace berth {
namespace {

constexpr uint64_t kOrderSeedsMax = 3000;

// Whether some history finds the property broken.
template <typename Request>
bool IsFoundMisheard(const char* property, void (*mishear)(Request&)) {
  for (uint64_t seed = 1; seed <= kOrderSeedsMax; ++seed) {
    HistoryOptions options;
    options.seed = seed;
    options.rare_events = true;
    options.hearing = [mishear](const UserEvent& event) {
      UserEvent heard = event;
      if (auto* request = std::get_if<Request>(&heard)) {
        mishear(*request);
      }
      return heard;
    };
    SchedulingHistory history(options);
    if (history.Run().broken.contains(property)) {
      return true;
    }
  }
  return false;
}

TEST(PlantedOrderFaults, SuspensionsAreChecked) {
  const auto never = [](SuspendTenant& request) { request.suspended = false; };
  EXPECT_TRUE(IsFoundMisheard<SuspendTenant>("suspended tenants start nothing", never));
  EXPECT_TRUE(IsFoundMisheard<SuspendTenant>("suspended tenants submit nothing", never));
  EXPECT_TRUE(IsFoundMisheard<SuspendTenant>(
      "suspension as ordered", [](SuspendTenant& request) { request.suspended = true; }));
}

TEST(PlantedOrderFaults, WhatAJobWaitsForIsChecked) {
  EXPECT_TRUE(IsFoundMisheard<SubmitJob>("held jobs wait",
                                         [](SubmitJob& request) { request.spec.hold = false; }));
  EXPECT_TRUE(IsFoundMisheard<SubmitJob>(
      "begin times", [](SubmitJob& request) { request.spec.begin_at = absl::InfinitePast(); }));
  EXPECT_TRUE(IsFoundMisheard<SubmitJob>(
      "dependencies", [](SubmitJob& request) { request.spec.dependencies.clear(); }));
}

TEST(PlantedOrderFaults, BoundsOfArraysAreChecked) {
  EXPECT_TRUE(IsFoundMisheard<SubmitJob>(
      "failed tasks", [](SubmitJob& request) { request.spec.array.fails_max = 0; }));
  EXPECT_TRUE(IsFoundMisheard<SubmitJob>(
      "tasks at a time", [](SubmitJob& request) { request.spec.array.concurrent_max = 0; }));
}

TEST(PlantedOrderFaults, CancelledTasksAreChecked) {
  const auto another = [](CancelJob& request) {
    for (IndexRange& range : request.tasks) {
      ++range.first;
    }
  };
  EXPECT_TRUE(IsFoundMisheard<CancelJob>("what is cancelled", another));
  EXPECT_TRUE(IsFoundMisheard<CancelJob>("arrays add up", another));
  EXPECT_TRUE(IsFoundMisheard<CancelJob>("cancelled tasks told", [](CancelJob& request) {
    if (request.tasks.size() > 1) {
      request.tasks.pop_back();
    }
  }));
}

}  // namespace
}  // namespace berth
