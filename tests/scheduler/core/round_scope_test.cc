// A round looks only at the device classes in which something has happened.

#include <gtest/gtest.h>

#include "tests/testing/test_center.h"

namespace berth {
namespace {

class RoundScopeTest : public testing::Test {
 protected:
  void SetUp() override {
    for (const char* tenant : {"acme", "beta"}) {
      center_.AddTenant(tenant);
    }
    center_.AddNode("n1", 4, "sim");
    center_.AddNode("n2", 4, "other");
  }
  JobId Running(const TestJob& job) {
    const JobId id = center_.Submit(job);
    center_.Round();
    center_.RunJob(id);
    return id;
  }
  void End(JobId id) {
    const std::vector<AllocationId> members = center_.cluster().GetJob(id).allocations;
    for (const AllocationId member : members) {
      center_.Report(member, ReportKind::kExited);
    }
  }
  bool IsStirred(const char* device_class) {
    return center_.cluster().stirred().contains(*center_.cluster().FindClass(device_class));
  }
  JobId AnchoredIn(const char* device_class) {
    const auto& anchors = center_.cluster().anchors();
    const auto anchor = anchors.find(*center_.cluster().FindClass(device_class));
    return anchor == anchors.end() ? JobId() : anchor->second.job;
  }

  TestCenter center_{TestCenter::PatientPolicy()};
};

TEST_F(RoundScopeTest, AClassIsStirredByWhatHappensInItUntilARoundHasLooked) {
  const JobId first = Running({.devices = 4});
  Running({.devices = 4, .classes = {"other"}});
  center_.Round();
  EXPECT_TRUE(center_.cluster().stirred().empty());
  const JobId both = center_.Submit({
      .devices = 1, .classes = {"sim", "other"}
  });
  EXPECT_TRUE(IsStirred("sim") && IsStirred("other"));
  center_.Round();
  EXPECT_TRUE(center_.cluster().stirred().empty());
  End(first);
  EXPECT_TRUE(IsStirred("sim"));
  EXPECT_FALSE(IsStirred("other"));
  center_.Round();
  EXPECT_EQ(center_.state(both), JobState::kStarting);
  EXPECT_TRUE(center_.cluster().stirred().empty());
  center_.SetQuota("acme", {.entitlement = 2});
  EXPECT_TRUE(IsStirred("sim") && IsStirred("other"));
}

TEST_F(RoundScopeTest, AJobStartsInTheSecondOfItsClassesWhenOnlyThatIsStirred) {
  Running({.devices = 4});
  const JobId other = Running({.devices = 4, .classes = {"other"}});
  const JobId both = center_.Submit({
      .devices = 2, .classes = {"sim", "other"}
  });
  center_.Round();
  ASSERT_EQ(center_.state(both), JobState::kQueued);
  End(other);
  ASSERT_FALSE(IsStirred("sim"));
  center_.Round();
  EXPECT_EQ(center_.state(both), JobState::kStarting);
}

TEST_F(RoundScopeTest, TheAnchorOfAnotherClassIsKept) {
  const JobId first = Running({.devices = 4});
  Running({.devices = 3, .classes = {"other"}});
  const JobId anchored = center_.Submit({.devices = 4, .classes = {"other"}});
  center_.Advance(center_.engine().policy().borrow_age);
  center_.Round();
  ASSERT_EQ(AnchoredIn("other"), anchored);
  const JobId next = center_.Submit({.devices = 4});
  End(first);
  ASSERT_FALSE(IsStirred("other"));
  center_.Round();
  EXPECT_EQ(center_.state(next), JobState::kStarting);
  EXPECT_EQ(AnchoredIn("other"), anchored);
  // Who comes by several ways may not pass it either.
  const JobId slow = center_.Submit({
      .devices = 1, .classes = {"sim", "other"},
           .time_limit = absl::Hours(9)
  });
  center_.Round();
  EXPECT_EQ(center_.state(slow), JobState::kQueued);
}

// It is anchored in a class in which nothing happens, and could start in another: nobody younger
// may take that from it.
TEST_F(RoundScopeTest, AnAnchorGoesFirstInItsOtherClass) {
  Running({.devices = 4, .time_limit = absl::Hours(2)});
  const JobId other = Running({.devices = 4, .classes = {"other"}, .time_limit = absl::Hours(9)});
  const JobId anchored = center_.Submit({
      .devices = 4, .classes = {"sim", "other"}
  });
  center_.Advance(center_.engine().policy().borrow_age);
  center_.Round();
  ASSERT_EQ(AnchoredIn("sim"), anchored);
  const JobId young = center_.Submit({.tenant = "beta", .devices = 4, .classes = {"other"}});
  End(other);
  ASSERT_FALSE(IsStirred("sim"));
  center_.Round();
  EXPECT_EQ(center_.state(anchored), JobState::kStarting);
  EXPECT_EQ(center_.state(young), JobState::kQueued);
}

// It queues for a class in which nothing happens, which has another anchor.
TEST_F(RoundScopeTest, AnAnchorFromAnotherQueueGoesFirst) {
  center_.AddNode("n3", 8, "other");
  Running({.devices = 4, .time_limit = absl::Hours(2)});
  Running({.devices = 4, .classes = {"other"}, .time_limit = absl::Hours(9)});
  const JobId large = Running({.devices = 8, .classes = {"other"}});
  const JobId from_sim = center_.Submit({
      .devices = 8, .classes = {"sim", "other"}
  });
  const JobId in_sim = center_.Submit({.devices = 4});
  const JobId young = center_.Submit({.tenant = "beta", .devices = 8, .classes = {"other"}});
  center_.Advance(center_.engine().policy().borrow_age);
  center_.Round();
  ASSERT_EQ(AnchoredIn("other"), from_sim);
  ASSERT_EQ(AnchoredIn("sim"), in_sim);
  End(large);
  ASSERT_FALSE(IsStirred("sim"));
  center_.Round();
  EXPECT_EQ(center_.state(from_sim), JobState::kStarting);
  EXPECT_EQ(center_.state(young), JobState::kQueued);
}

// What waits for a time is looked at then, also if the round is asked for by another class.
TEST_F(RoundScopeTest, TimeStirsAllClasses) {
  Running({.devices = 3});
  Running({.devices = 4, .classes = {"other"}});
  const JobId ripening = center_.Submit({.devices = 4});
  center_.Round();
  ASSERT_EQ(AnchoredIn("sim"), JobId());
  center_.Pass(center_.engine().policy().borrow_age);
  center_.Submit({.classes = {"other"}});
  ASSERT_FALSE(IsStirred("sim"));
  center_.Round();
  EXPECT_EQ(AnchoredIn("sim"), ripening);
}

}  // namespace
}  // namespace berth
