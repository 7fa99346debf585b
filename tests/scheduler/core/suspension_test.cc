#include <gtest/gtest.h>

#include "tests/testing/test_center.h"

namespace berth {
namespace {

class SuspensionTest : public testing::Test {
 protected:
  void SetUp() override {
    center_.AddTenant("acme");
    center_.AddTenant("beta");
    center_.AddNode("n1");
  }
  void Suspend(bool suspended) { notes_ = center_.Must(SuspendTenant{"acme", suspended}).notes; }

  TestCenter center_{TestCenter::PatientPolicy()};
  std::vector<std::string> notes_;
};

TEST_F(SuspensionTest, WhatRunsGoesOnAndWhatWaitsStartsWhenItEnds) {
  const JobId running = center_.SubmitRunning({.devices = 4});
  const JobId waiting = center_.Submit({.devices = 2});
  Suspend(true);
  EXPECT_EQ(notes_, (std::vector<std::string>{"running jobs that go on: 1",
                                              "pending jobs that do not start: 1"}));
  EXPECT_TRUE(center_.engine().PlanDue());
  center_.Round();
  EXPECT_EQ(center_.state(running), JobState::kRunning);
  EXPECT_EQ(center_.state(waiting), JobState::kQueued);
  EXPECT_EQ(center_.cluster().ReasonOf(center_.GetJob(waiting)).code, ReasonCode::kTenantSuspended);
  EXPECT_EQ(center_.TrySubmit({.devices = 1}).status().code(),
            absl::StatusCode::kFailedPrecondition);
  Suspend(true);
  EXPECT_EQ(notes_.at(0), "it was suspended before");
  Suspend(false);
  EXPECT_EQ(notes_.at(0), "pending jobs that may start again: 1");
  EXPECT_TRUE(center_.engine().PlanDue());
  center_.Round();
  EXPECT_EQ(center_.state(waiting), JobState::kStarting);
}

TEST_F(SuspensionTest, IsForOperatorsAndDurable) {
  center_.Commit();
  EXPECT_FALSE(center_.TryAs(center_.UserOf("acme"), SuspendTenant{"acme"}).ok());
  EXPECT_FALSE(center_.Try(SuspendTenant{"nobody"}).ok());
  Suspend(true);
  const Changes changes = center_.Commit();
  ASSERT_EQ(changes.tenants.size(), 1U);
  EXPECT_TRUE(changes.tenants[0].suspended);
}

// What has waited for long delays nobody while it must not start.
TEST_F(SuspensionTest, NothingIsAnchored) {
  center_.SubmitRunning({.tenant = "beta", .devices = 4, .time_limit = absl::Hours(9)});
  center_.Submit({.devices = 8});
  Suspend(true);
  center_.Advance(center_.engine().policy().borrow_age);
  const JobId other =
      center_.Submit({.tenant = "beta", .devices = 4, .time_limit = absl::Hours(20)});
  center_.Round();
  EXPECT_TRUE(center_.cluster().anchors().empty());
  EXPECT_EQ(center_.state(other), JobState::kStarting);
}

}  // namespace
}  // namespace berth
