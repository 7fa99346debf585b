// Jobs that wait for others, and for a time.

#include <gtest/gtest.h>

#include "tests/testing/test_center.h"

namespace berth {
namespace {

class DependencyTest : public testing::Test {
 protected:
  void SetUp() override {
    center_.AddTenant("acme");
    center_.AddTenant("beta");
    center_.AddNode("n1");
  }
  JobId After(DependencyKind kind, JobId parent) {
    return center_.Submit({.after = {{kind, parent}}});
  }
  void Run(JobId id) {
    center_.Round();
    center_.RunJob(id);
  }
  PendingReason Reason(JobId id) {
    return center_.cluster().ReasonOf(center_.cluster().GetJob(id));
  }
  bool IsReady(JobId id) {
    return center_.state(id) == JobState::kQueued && Reason(id).code != ReasonCode::kDependency;
  }
  void ExpectInvariants() {
    const absl::Status status = CheckInvariants(center_.cluster());
    EXPECT_TRUE(status.ok()) << status;
  }

  TestCenter center_;
};

TEST_F(DependencyTest, EachKindIsDecidedAsItSays) {
  struct Case {
    int exit_code;
    DependencyKind kind;
    bool holds;
  };
  for (const Case& c : {
           Case{0, DependencyKind::kOk,   true },
           Case{1, DependencyKind::kOk,   false},
           Case{0, DependencyKind::kAny,  true },
           Case{1, DependencyKind::kAny,  true },
           Case{0, DependencyKind::kFail, false},
           Case{1, DependencyKind::kFail, true },
  }) {
    const JobId parent = center_.Submit({});
    const JobId child = After(c.kind, parent);
    Run(parent);
    EXPECT_EQ(Reason(child).code, ReasonCode::kDependency);
    ExpectInvariants();
    center_.ExitJob(parent, c.exit_code);
    ExpectInvariants();
    EXPECT_EQ(IsReady(child), c.holds) << Name(c.kind) << c.exit_code;
    if (!c.holds) {
      EXPECT_EQ(center_.state(child), JobState::kDependencyFailed);
      EXPECT_EQ(center_.GetJob(child).attempt.end.reason, EndReason::kDependency);
    } else {
      center_.Must(CancelJob{child, "", true});
      center_.Commit();
    }
  }
}

TEST_F(DependencyTest, StartedIsDecidedAtTheStart) {
  const JobId parent = center_.Submit({});
  const JobId child = After(DependencyKind::kStarted, parent);
  center_.Round();
  EXPECT_FALSE(IsReady(child));
  center_.RunJob(parent);
  EXPECT_TRUE(IsReady(child));
  EXPECT_TRUE(center_.GetJob(child).spec.dependencies.empty());
  EXPECT_TRUE(IsReady(After(DependencyKind::kStarted, parent)));
}

TEST_F(DependencyTest, ARequeuedParentLeavesItOpen) {
  const JobId parent = center_.Submit({.requeue = {.on_error = true}});
  const JobId child = After(DependencyKind::kOk, parent);
  Run(parent);
  center_.ExitJob(parent, 1);
  EXPECT_EQ(center_.state(parent), JobState::kQueued);
  EXPECT_EQ(Reason(child).code, ReasonCode::kDependency);
  EXPECT_EQ(Reason(child).message, absl::StrCat("waits for job ", parent.value()));
  center_.Advance(absl::Seconds(5));
  Run(parent);
  center_.ExitJob(parent);
  EXPECT_TRUE(IsReady(child));
}

TEST_F(DependencyTest, AnImpossibleOneEndsAllThatFollow) {
  const JobId parent = center_.Submit({.hold = true});
  std::vector<JobId> chain = {parent};
  for (int i = 0; i < 10000; ++i) {
    chain.push_back(After(DependencyKind::kOk, chain.back()));
  }
  const JobId cleanup = After(DependencyKind::kAny, chain.back());
  center_.Must(CancelJob{parent, "", false});
  center_.Commit();
  EXPECT_EQ(center_.state(chain[1]), JobState::kDependencyFailed);
  EXPECT_EQ(center_.state(chain.back()), JobState::kDependencyFailed);
  EXPECT_TRUE(IsReady(cleanup));
  ExpectInvariants();
}

TEST_F(DependencyTest, AllMustHold) {
  const JobId first = center_.Submit({});
  const JobId second = center_.Submit({});
  const JobId child = center_.Submit({
      .after = {{DependencyKind::kOk, first}, {DependencyKind::kAny, second}}
  });
  Run(first);
  center_.RunJob(second);
  center_.ExitJob(first);
  EXPECT_EQ(Reason(child).code, ReasonCode::kDependency);
  EXPECT_EQ(center_.GetJob(child).spec.dependencies.size(), 1U);
  center_.ExitJob(second, 1);
  EXPECT_TRUE(IsReady(child));
}

TEST_F(DependencyTest, WhatIsOverAlreadyCountsByItsLastState) {
  SubmitJob submit;
  submit.spec.dependencies = {
      {DependencyKind::kOk, JobId(77)}
  };
  submit.device_classes = {"sim"};
  submit.ended_dependencies = {
      {JobId(77), JobState::kSucceeded}
  };
  const JobId ready = center_.TryAs(center_.UserOf("acme"), submit)->job;
  EXPECT_TRUE(IsReady(ready));
  submit.ended_dependencies = {
      {JobId(77), JobState::kCancelled}
  };
  const auto failed = center_.TryAs(center_.UserOf("acme"), submit);
  EXPECT_EQ(failed->notes.back(), "ends at once: waited for job 77 (ok), which ended cancelled");
  center_.Commit();
  EXPECT_EQ(center_.state(failed->job), JobState::kDependencyFailed);
  ExpectInvariants();
}

TEST_F(DependencyTest, UnknownJobsAndThoseOfOthersDoNotExist) {
  const JobId foreign = center_.Submit({.tenant = "beta"});
  for (JobId parent : {foreign, JobId(99)}) {
    EXPECT_EQ(center_.TrySubmit({.after = {{DependencyKind::kOk, parent}}}).status().code(),
              absl::StatusCode::kNotFound);
  }
}

TEST_F(DependencyTest, AnArrayAndATaskCanBeWaitedFor) {
  const JobId array = center_.Submit({.devices = 8, .array = {.count = 2}});
  const JobId all = After(DependencyKind::kOk, array);
  const JobId started = After(DependencyKind::kStarted, array);
  const JobId first = center_.StartTasks(array).at(0);
  const JobId one = After(DependencyKind::kOk, first);
  EXPECT_FALSE(IsReady(one));
  center_.RunJob(first);
  center_.ExitJob(first);
  EXPECT_TRUE(IsReady(one));
  EXPECT_FALSE(IsReady(started));
  const JobId second = center_.StartTasks(array).at(0);
  EXPECT_TRUE(IsReady(started));
  EXPECT_FALSE(IsReady(all));
  center_.RunJob(second);
  center_.ExitJob(second);
  EXPECT_TRUE(IsReady(all));
  ExpectInvariants();
}

// Nothing else may happen for long.
TEST_F(DependencyTest, WhoWaitsForTheLastTaskToStartGetsARound) {
  const JobId array = center_.Submit({
      .array = {.first = 0, .count = 1}
  });
  const JobId child = After(DependencyKind::kStarted, array);
  center_.Round();
  EXPECT_TRUE(IsReady(child));
  EXPECT_TRUE(center_.engine().PlanDue());
  center_.Round();
  EXPECT_EQ(center_.state(child), JobState::kStarting);
  EXPECT_FALSE(center_.engine().PlanDue());
}

TEST_F(DependencyTest, AHeldChildIsDecidedToo) {
  const JobId parent = center_.Submit({});
  const JobId child = center_.Submit({.hold = true, .after = {{DependencyKind::kOk, parent}}});
  Run(parent);
  center_.ExitJob(parent);
  EXPECT_EQ(center_.state(child), JobState::kHeld);
  center_.Must(ReleaseJob{child});
  EXPECT_TRUE(IsReady(child));
}

TEST_F(DependencyTest, AJobDoesNotStartBeforeItsTime) {
  const absl::Time begin = center_.now() + absl::Seconds(20);
  const JobId job = center_.Submit({.begin_at = begin});
  EXPECT_EQ(Reason(job).code, ReasonCode::kBeginTime);
  EXPECT_LE(center_.engine().NextTick(), begin);
  center_.Round();
  EXPECT_EQ(center_.state(job), JobState::kQueued);
  center_.Advance(absl::Seconds(20));
  EXPECT_TRUE(center_.engine().PlanDue());
  center_.Round();
  EXPECT_EQ(center_.state(job), JobState::kStarting);
}

TEST_F(DependencyTest, TwoCancelsBeforeACommitAreOne) {
  const JobId job = center_.Submit({});
  center_.Must(CancelJob{job, "", false});
  EXPECT_EQ(center_.Try(CancelJob{job, "", false}).status().code(),
            absl::StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace berth
