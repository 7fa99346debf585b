// Tasks of an array that are cancelled by their indexes, started or not.

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/testing/test_center.h"

namespace berth {
namespace {

class ArrayCancelTest : public testing::Test {
 protected:
  void SetUp() override {
    center_.AddTenant("acme");
    center_.AddNode("n1");
  }
  // Cancels these tasks, and finds everything in order.
  CancelledTasks Cancel(JobId array, std::vector<IndexRange> tasks) {
    const absl::StatusOr<Outcome> outcome =
        center_.Try(CancelJob{.job = array, .reason = "", .tasks = std::move(tasks)});
    EXPECT_TRUE(outcome.ok()) << outcome.status();
    const absl::Status status = CheckInvariants(center_.cluster());
    EXPECT_TRUE(status.ok()) << status;
    return outcome.ok() ? outcome->tasks : CancelledTasks();
  }
  absl::Status Refusal(JobId array, std::vector<IndexRange> tasks) {
    return center_.Try(CancelJob{.job = array, .reason = "", .tasks = std::move(tasks)}).status();
  }
  static IndexRange One(int index) { return {index, 1, 1}; }
  // Runs all that is left of the array, one after the other; the indexes that ran.
  std::vector<int> RunAll(JobId array, int exit_code = 0) {
    std::vector<int> indexes;
    while (!IsTerminal(center_.state(array))) {
      const std::vector<JobId> tasks = center_.StartTasks(array);
      if (tasks.empty()) {
        ADD_FAILURE() << "nothing starts";
        break;
      }
      for (const JobId task : tasks) {
        indexes.push_back(center_.GetJob(task).array_index);
        center_.RunJob(task);
        center_.ExitJob(task, exit_code);
      }
      const absl::Status status = CheckInvariants(center_.cluster());
      EXPECT_TRUE(status.ok()) << status;
    }
    return indexes;
  }
  TenantId acme() const { return center_.cluster().quota().FindTenantByName("acme")->id; }
  std::string Unstarted(JobId array) const {
    return IndexesText(center_.GetJob(array).spec.array.lists->cancelled);
  }

  TestCenter center_;
};

TEST_F(ArrayCancelTest, WhatHasNotStartedNeverStarts) {
  const JobId array = center_.Submit({.devices = 8, .array = {.count = 8}});
  center_.StartTasks(array);
  const CancelledTasks tasks = Cancel(array, {
                                                 IndexRange{1, 2, 1},
                                                 IndexRange{4, 2, 2}
  });
  EXPECT_EQ(tasks.waiting, 4);
  EXPECT_EQ(tasks.stopping + tasks.before + tasks.ended, 0);
  EXPECT_EQ(center_.cluster().PendingCount(acme()), 3);
  EXPECT_EQ(center_.cluster().StartableTasks(array), 3);
  EXPECT_EQ(Unstarted(array), "1-2,4,6");
  EXPECT_EQ(RunAll(array), (std::vector<int>{0, 3, 5, 7}));
  EXPECT_EQ(center_.state(array), JobState::kCancelled);
  EXPECT_EQ(center_.GetJob(array).tasks.succeeded, 4);
  EXPECT_EQ(center_.GetJob(array).tasks.cancelled, 4);
}

TEST_F(ArrayCancelTest, OneCallTakesThoseThatRunAndThoseThatWait) {
  const JobId array = center_.Submit({
      .devices = 4, .requeue = {.on_error = true},
           .array = { .first = 10,      .count = 5}
  });
  const std::vector<JobId> tasks = center_.StartTasks(array);
  center_.RunJob(tasks[0]);
  center_.RunJob(tasks[1]);
  center_.ExitJob(tasks[1], 3);
  ASSERT_EQ(center_.state(tasks[1]), JobState::kQueued);
  const CancelledTasks first = Cancel(array, {
                                                 IndexRange{10, 3, 1}
  });
  EXPECT_EQ(first.stopping, 1);
  EXPECT_EQ(first.waiting, 2);
  EXPECT_EQ(center_.state(tasks[1]), JobState::kCancelled);
  EXPECT_EQ(center_.state(tasks[0]), JobState::kStopping);
  const CancelledTasks again = Cancel(array, {
                                                 IndexRange{10, 3, 1}
  });
  EXPECT_EQ(again.before, 2);
  EXPECT_EQ(again.ended, 1);
  EXPECT_EQ(again.stopping + again.waiting, 0);
  center_.Report(center_.GetJob(tasks[0]).allocations[0], ReportKind::kKilled);
  EXPECT_EQ(RunAll(array), (std::vector<int>{13, 14}));
  EXPECT_EQ(center_.GetJob(array).tasks.cancelled, 3);
}

// Rule: of one task that is a job, the answer is about that job.
TEST_F(ArrayCancelTest, OneThatRunsIsCancelledAsAJob) {
  const JobId array = center_.Submit({.array = {.count = 2}});
  const std::vector<JobId> tasks = center_.StartTasks(array);
  center_.RunJob(tasks[1]);
  const Outcome outcome =
      center_.Must(CancelJob{.job = array, .reason = "enough", .tasks = {One(1)}});
  EXPECT_EQ(outcome.job, tasks[1]);
  EXPECT_EQ(outcome.tasks.stopping, 1);
  EXPECT_NE(center_.GetJob(tasks[1]).attempt.end.message.find("enough"), std::string::npos);
}

TEST_F(ArrayCancelTest, TheArrayEndsWithTheLastOfThem) {
  const JobId array = center_.Submit({.devices = 8, .array = {.count = 3}});
  const JobId ok = center_.Submit({.after = {{DependencyKind::kOk, array}}});
  const JobId started = center_.Submit({.after = {{DependencyKind::kStarted, array}}});
  const JobId any = center_.Submit({.after = {{DependencyKind::kAny, array}}});
  Cancel(array, {
                    IndexRange{0, 2, 1}
  });
  EXPECT_EQ(center_.state(array), JobState::kQueued);
  center_.Must(HoldJob{array});
  Cancel(array, {One(2)});
  center_.Commit();
  EXPECT_EQ(center_.state(array), JobState::kCancelled);
  EXPECT_EQ(center_.GetJob(array).tasks.cancelled, 3);
  EXPECT_EQ(center_.state(ok), JobState::kDependencyFailed);
  EXPECT_EQ(center_.state(started), JobState::kDependencyFailed);
  EXPECT_TRUE(center_.GetJob(any).spec.dependencies.empty());
  EXPECT_EQ(center_.cluster().PendingCount(acme()), 1);
}

TEST_F(ArrayCancelTest, WithoutOthersItsLiveTasksGoOnAndDecideItsEnd) {
  const JobId array = center_.Submit({.devices = 8, .array = {.count = 3}});
  const JobId child = center_.Submit({.after = {{DependencyKind::kStarted, array}}});
  const JobId task = center_.StartTasks(array).at(0);
  Cancel(array, {
                    IndexRange{1, 2, 1}
  });
  EXPECT_EQ(center_.state(array), JobState::kRunning);
  EXPECT_TRUE(center_.GetJob(child).spec.dependencies.empty());
  center_.RunJob(task);
  center_.ExitJob(task, 7);
  EXPECT_EQ(center_.state(array), JobState::kFailed);
  EXPECT_EQ(center_.GetJob(array).attempt.end.exit_code, 7);
}

TEST_F(ArrayCancelTest, AFailedTaskBeforeThemIsTheEndOfTheArray) {
  const JobId array = center_.Submit({
      .devices = 8, .array = {.count = 3, .concurrent_max = 1, .fails_max = 2}
  });
  const JobId task = center_.StartTasks(array).at(0);
  center_.RunJob(task);
  center_.ExitJob(task, 7);
  Cancel(array, {
                    IndexRange{1, 2, 1}
  });
  EXPECT_EQ(center_.state(array), JobState::kFailed);
  EXPECT_EQ(center_.GetJob(array).attempt.end.exit_code, 7);
}

TEST_F(ArrayCancelTest, TheyAreNoFailuresAndTakeNoPlaceOfTheBounds) {
  const JobId array = center_.Submit({
      .devices = 1, .array = {.count = 6, .concurrent_max = 2, .fails_max = 2}
  });
  Cancel(array, {
                    IndexRange{0, 3, 2}
  });
  const std::vector<JobId> tasks = center_.StartTasks(array);
  ASSERT_EQ(tasks.size(), 2U);
  EXPECT_EQ(center_.GetJob(tasks[1]).array_index, 3);
  center_.RunJob(tasks[0]);
  center_.ExitJob(tasks[0], 1);
  EXPECT_EQ(center_.cluster().StartableTasks(array), 1);
  EXPECT_EQ(RunAll(array, 1), (std::vector<int>{3, 5}));
  EXPECT_EQ(center_.GetJob(array).tasks.failed, 3);
  EXPECT_EQ(center_.GetJob(array).tasks.cancelled, 3);
}

TEST_F(ArrayCancelTest, ARestartKnowsThem) {
  const JobId array = center_.Submit({
      .devices = 8, .array = MakeArrayRange({IndexRange{1, 1, 1}, IndexRange{3, 5, 2}}
           )
  });
  center_.StartTasks(array);
  Cancel(array, {
                    IndexRange{3, 2, 4}
  });
  center_.Restart();
  EXPECT_TRUE(CheckInvariants(center_.cluster()).ok()) << CheckInvariants(center_.cluster());
  EXPECT_EQ(center_.cluster().StartableTasks(array), 3);
  EXPECT_EQ(Cancel(array, {One(7)}).before, 1);
  EXPECT_EQ(Cancel(array, {One(9)}).waiting, 1);
  EXPECT_EQ(Unstarted(array), "3,7,9");
}

TEST_F(ArrayCancelTest, WhatTheArrayHasNotIsRefusedAndNothingChanges) {
  const JobId array = center_.Submit({
      .devices = 8, .array = {.first = 2, .count = 3}
  });
  const absl::Status strange = Refusal(array, {
                                                  IndexRange{3, 3, 1}
  });
  EXPECT_EQ(strange.code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(strange.message(), absl::StrCat("job ", array.value(), " has no task 5"));
  EXPECT_EQ(center_.cluster().StartableTasks(array), 3);
  EXPECT_EQ(Refusal(center_.Submit({.hold = true}), {One(0)}).code(), absl::StatusCode::kNotFound);
  const JobId task = center_.StartTasks(array).at(0);
  center_.RunJob(task);
  center_.ExitJob(task);
  EXPECT_EQ(Refusal(array, {One(2)}).code(), absl::StatusCode::kFailedPrecondition);
}

// Rule: what follows in equal steps is one range, however many tasks it has.
TEST_F(ArrayCancelTest, AnArrayKeepsABoundedNumberOfRanges) {
  const JobId array = center_.Submit({.array = {.count = 60000}});
  Cancel(array, {
                    IndexRange{1, 30000, 2}
  });
  EXPECT_EQ(Unstarted(array), "1-59999:2");
  const JobId other = center_.Submit({.array = {.count = 40000}});
  std::vector<IndexRange> scattered;
  for (int i = 0, index = 0; i <= kIndexRangesMax; ++i, index += 2 + i % 3) {
    scattered.push_back(One(index));
  }
  EXPECT_NE(Refusal(other, scattered).message().find("the most is 10000"), std::string::npos);
  EXPECT_EQ(center_.cluster().StartableTasks(other), 40000);
  scattered.pop_back();
  EXPECT_EQ(Cancel(other, scattered).waiting, kIndexRangesMax);
}

TEST_F(ArrayCancelTest, AllOfItCanStillBeCancelled) {
  const JobId array = center_.Submit({.devices = 8, .array = {.count = 5}});
  const JobId task = center_.StartTasks(array).at(0);
  Cancel(array, {One(3)});
  center_.Must(CancelJob{array, "", false});
  EXPECT_TRUE(CheckInvariants(center_.cluster()).ok()) << CheckInvariants(center_.cluster());
  center_.Report(center_.GetJob(task).allocations[0], ReportKind::kKilled);
  center_.Commit();
  EXPECT_EQ(center_.state(array), JobState::kCancelled);
  EXPECT_EQ(center_.GetJob(array).tasks.cancelled, 5);
}

}  // namespace
}  // namespace berth
