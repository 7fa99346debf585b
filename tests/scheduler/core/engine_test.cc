#include "scheduler/core/engine.h"

#include <gtest/gtest.h>

#include "tests/testing/test_center.h"

namespace berth {
namespace {

// The control loop sleeps until NextTick: one that stays in the past would keep it awake for ever.
TEST(Engine, AnEmptiedQueueLeavesNothingToLookAt) {
  TestCenter center(TestCenter::PatientPolicy());
  center.AddTenant("acme");
  center.AddNode("n1", 8);
  center.Must(SetTenantQueue{"acme", QueuePreset::kStepped, absl::Minutes(1)});
  center.Submit({.devices = 8});
  center.Round();
  const JobId head = center.Submit({.devices = 8});
  const JobId behind = center.Submit({.devices = 1, .priority = -1});
  center.Round();
  ASSERT_LE(center.engine().NextTick(), center.now() + absl::Minutes(1));
  center.Must(CancelJob{head});
  center.Must(CancelJob{behind});
  center.Advance(absl::Minutes(2));
  EXPECT_FALSE(center.engine().PlanDue());
  EXPECT_GT(center.engine().NextTick(), center.now());
}

}  // namespace
}  // namespace berth
