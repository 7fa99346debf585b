// Arrays: one record in the queue until its tasks start.

#include <vector>

#include <gtest/gtest.h>

#include "tests/testing/test_center.h"

namespace berth {
namespace {

class ArrayTest : public testing::Test {
 protected:
  void SetUp() override {
    center_.AddTenant("acme");
    center_.AddNode("n1");
  }
  // As many tasks of `array` as fit, which must be `count`.
  std::vector<JobId> Start(JobId array, size_t count) {
    const std::vector<JobId> tasks = center_.StartTasks(array);
    EXPECT_EQ(tasks.size(), count);
    return tasks;
  }
  PendingReason Reason(JobId id) {
    return center_.cluster().ReasonOf(center_.cluster().GetJob(id));
  }
  bool AnyReady() const {
    for (const auto& [id, group] : center_.cluster().groups()) {
      if (!group.ready.empty()) {
        return true;
      }
    }
    return false;
  }
  TenantId acme() const { return center_.cluster().quota().FindTenantByName("acme")->id; }
  void ExpectInvariants() {
    const absl::Status status = CheckInvariants(center_.cluster());
    EXPECT_TRUE(status.ok()) << status;
  }

  TestCenter center_;
};

TEST_F(ArrayTest, AnArrayIsOneRecordUntilItsTasksStart) {
  const JobId array = center_.Submit({
      .devices = 4, .array = {.first = 10, .count = 100000, .step = 5}
  });
  EXPECT_EQ(center_.cluster().jobs().size(), 1U);
  EXPECT_EQ(center_.cluster().PendingCount(acme()), 100000);
  EXPECT_EQ(center_.cluster().StartableTasks(array), 100000);
  const std::vector<JobId> tasks = Start(array, 2);
  EXPECT_EQ(center_.cluster().jobs().size(), 3U);
  EXPECT_EQ(center_.GetJob(tasks[0]).array_index, 10);
  EXPECT_EQ(center_.GetJob(tasks[1]).array_index, 15);
  EXPECT_EQ(center_.GetJob(tasks[1]).array, array);
  EXPECT_EQ(center_.state(tasks[1]), JobState::kStarting);
  EXPECT_EQ(center_.state(array), JobState::kQueued);
  EXPECT_EQ(center_.cluster().PendingCount(acme()), 99998);
  ExpectInvariants();
}

TEST_F(ArrayTest, TheBoundKeepsTheRestOutOfTheQueueWithItsReason) {
  const JobId array = center_.Submit({
      .array = {.count = 3, .concurrent_max = 2}
  });
  const std::vector<JobId> tasks = Start(array, 2);
  EXPECT_EQ(center_.cluster().StartableTasks(array), 0);
  EXPECT_FALSE(AnyReady());
  EXPECT_EQ(Reason(array).code, ReasonCode::kArrayThrottle);
  EXPECT_EQ(Reason(array).message, "as many tasks of the array run as may at once: 2");
  ExpectInvariants();
  center_.RunJob(tasks[0]);
  center_.ExitJob(tasks[0]);
  EXPECT_EQ(center_.cluster().StartableTasks(array), 1);
  EXPECT_TRUE(AnyReady());
  Start(array, 2);
  EXPECT_EQ(center_.state(array), JobState::kRunning);
  ExpectInvariants();
}

TEST_F(ArrayTest, ItSucceedsWithItsLastTask) {
  const JobId array = center_.Submit({.array = {.count = 2}});
  for (JobId task : Start(array, 2)) {
    EXPECT_EQ(center_.state(array), JobState::kRunning);
    center_.RunJob(task);
    center_.ExitJob(task);
    ExpectInvariants();
  }
  EXPECT_EQ(center_.state(array), JobState::kSucceeded);
  EXPECT_EQ(center_.GetJob(array).tasks.succeeded, 2);
  EXPECT_EQ(center_.GetJob(array).attempt.end.reason, EndReason::kExit);
  EXPECT_TRUE(center_.cluster().jobs().empty());
}

TEST_F(ArrayTest, ItFailsWithTheEndOfItsFirstFailingTask) {
  const JobId array = center_.Submit({.array = {.count = 3}});
  const std::vector<JobId> tasks = Start(array, 3);
  const std::vector<int> codes = {0, 7, 9};
  for (size_t i = 0; i < tasks.size(); ++i) {
    center_.RunJob(tasks[i]);
    center_.ExitJob(tasks[i], codes[i]);
  }
  EXPECT_EQ(center_.state(array), JobState::kFailed);
  EXPECT_EQ(center_.GetJob(array).attempt.end.exit_code, 7);
  EXPECT_EQ(center_.GetJob(array).tasks.failed, 2);
}

TEST_F(ArrayTest, ARequeuedTaskIsAnOrdinaryPendingJobAndLive) {
  const JobId array = center_.Submit({
      .requeue = {.on_error = true    },
        .array = { .count = 2, .concurrent_max = 1}
  });
  const JobId task = Start(array, 1)[0];
  center_.RunJob(task);
  center_.ExitJob(task, 3);
  EXPECT_EQ(center_.state(task), JobState::kQueued);
  EXPECT_EQ(center_.cluster().StartableTasks(array), 0);
  EXPECT_EQ(center_.cluster().PendingCount(acme()), 2);
  ExpectInvariants();
  center_.Advance(absl::Seconds(5));
  center_.Round();
  EXPECT_EQ(center_.state(task), JobState::kStarting);
  EXPECT_EQ(center_.GetJob(task).attempt.number, 1);
}

TEST_F(ArrayTest, CancellingAnArrayEndsItsTasksAndThenIt) {
  const JobId array = center_.Submit({.devices = 4, .array = {.count = 5}});
  const std::vector<JobId> tasks = Start(array, 2);
  center_.RunJob(tasks[0]);
  center_.RunJob(tasks[1]);
  center_.Must(CancelJob{array, "", false});
  EXPECT_EQ(center_.state(array), JobState::kStopping);
  EXPECT_EQ(center_.state(tasks[1]), JobState::kStopping);
  EXPECT_EQ(center_.cluster().PendingCount(acme()), 0);
  ExpectInvariants();
  for (JobId task : tasks) {
    center_.Report(center_.GetJob(task).allocations[0], ReportKind::kKilled);
    center_.Commit();
  }
  EXPECT_EQ(center_.state(array), JobState::kCancelled);
  EXPECT_EQ(center_.GetJob(array).tasks.cancelled, 5);
  EXPECT_EQ(center_.GetJob(array).attempt.end.reason, EndReason::kCancelled);
}

TEST_F(ArrayTest, CancellingWhatHasNotStartedOrWaitsAgainIsImmediate) {
  const JobId array =
      center_.Submit({.devices = 8, .requeue = {.on_error = true}, .array = {.count = 3}});
  const JobId task = Start(array, 1)[0];
  center_.RunJob(task);
  center_.ExitJob(task, 3);
  center_.Must(HoldJob{array});
  center_.Must(CancelJob{array, "", false});
  center_.Commit();
  EXPECT_EQ(center_.state(task), JobState::kCancelled);
  EXPECT_EQ(center_.state(array), JobState::kCancelled);
  EXPECT_TRUE(center_.cluster().jobs().empty());
}

TEST_F(ArrayTest, OneTaskCanBeCancelledAlone) {
  const JobId array = center_.Submit({.array = {.count = 2}});
  const std::vector<JobId> tasks = Start(array, 2);
  center_.RunJob(tasks[0]);
  center_.RunJob(tasks[1]);
  center_.Must(CancelJob{tasks[0], "", false});
  EXPECT_EQ(center_.state(array), JobState::kRunning);
  center_.Report(center_.GetJob(tasks[0]).allocations[0], ReportKind::kKilled);
  center_.ExitJob(tasks[1]);
  EXPECT_EQ(center_.state(tasks[1]), JobState::kSucceeded);
  EXPECT_EQ(center_.GetJob(array).tasks.cancelled, 1);
  EXPECT_EQ(center_.state(array), JobState::kCancelled);
}

// Rule: those that run go on.
TEST_F(ArrayTest, SoManyFailedTasksKeepTheRestFromStarting) {
  const JobId array = center_.Submit({
      .devices = 4, .array = {.count = 5, .fails_max = 2}
  });
  std::vector<JobId> tasks = Start(array, 2);
  center_.RunJob(tasks[0]);
  center_.ExitJob(tasks[0], 7);
  EXPECT_EQ(center_.state(array), JobState::kQueued);
  const JobId third = Start(array, 2)[1];
  center_.RunJob(third);
  center_.RunJob(tasks[1]);
  center_.ExitJob(third, 9);
  EXPECT_EQ(center_.state(array), JobState::kRunning);
  EXPECT_EQ(center_.cluster().PendingCount(acme()), 0);
  EXPECT_EQ(center_.state(tasks[1]), JobState::kRunning);
  ExpectInvariants();
  center_.ExitJob(tasks[1]);
  const Job ended = center_.GetJob(array);
  EXPECT_EQ(ended.state, JobState::kFailed);
  EXPECT_EQ(ended.tasks.succeeded, 1);
  EXPECT_EQ(ended.tasks.cancelled, 2);
  EXPECT_EQ(ended.attempt.end.exit_code, 7);
  EXPECT_NE(ended.attempt.end.message.find(
                "2 failed, as many as may (--max-fails): 2 were cancelled unstarted"),
            std::string::npos)
      << ended.attempt.end.message;
}

TEST_F(ArrayTest, TheLastTaskThatMayFailEndsAnArrayOfWhichNoneRuns) {
  const JobId array = center_.Submit({
      .devices = 8, .array = {.count = 3, .fails_max = 1}
  });
  const JobId child = center_.Submit({.after = {{DependencyKind::kStarted, array}}});
  const JobId task = Start(array, 1)[0];
  center_.Must(HoldJob{array});
  center_.RunJob(task);
  center_.ExitJob(task, 3);
  EXPECT_EQ(center_.state(array), JobState::kFailed);
  EXPECT_TRUE(center_.GetJob(child).spec.dependencies.empty());
  ExpectInvariants();
}

TEST_F(ArrayTest, ATaskThatRunsAgainHasNotFailed) {
  const JobId array = center_.Submit({
      .devices = 8,
      .requeue = {.on_error = true, .max_requeues = 1},
      .array = {.count = 2,       .fails_max = 1   }
  });
  const JobId task = Start(array, 1)[0];
  center_.RunJob(task);
  center_.ExitJob(task, 3);
  EXPECT_EQ(center_.state(array), JobState::kQueued);
  ExpectInvariants();
}

TEST(ArrayRange, TheTextOfManyRangesIsCutShort) {
  std::vector<IndexRange> ranges;
  for (int i = 0; i < 1000; ++i) {
    ranges.push_back({3 * i, 1, 1});
  }
  const std::string text = IndexesText(ranges);
  EXPECT_EQ(text.substr(0, 8), "0,3,6,9,");
  EXPECT_EQ(text.substr(text.size() - 25), "54,57 and 980 more ranges");
}

TEST_F(ArrayTest, SeveralRangesRunOneAfterTheOther) {
  const ArrayRange range = MakeArrayRange({
      IndexRange{1,  1, 1},
      IndexRange{3,  2, 4},
      IndexRange{10, 1, 1}
  });
  EXPECT_EQ(IndexesText(RangesOf(range)), "1,3-7:4,10");
  EXPECT_EQ(range.PositionOf(7), 2);
  EXPECT_EQ(range.PositionOf(5), std::nullopt);
  const JobId array = center_.Submit({.devices = 2, .array = range});
  std::vector<int> indexes;
  for (const JobId task : Start(array, 4)) {
    indexes.push_back(center_.GetJob(task).array_index);
  }
  EXPECT_EQ(indexes, (std::vector<int>{1, 3, 7, 10}));
  ExpectInvariants();
}

TEST_F(ArrayTest, HoldKeepsTheUnstartedTasks) {
  const JobId array = center_.Submit({.devices = 8, .array = {.count = 2}});
  const JobId task = Start(array, 1)[0];
  center_.Must(HoldJob{array});
  center_.RunJob(task);
  center_.ExitJob(task);
  EXPECT_EQ(center_.state(array), JobState::kHeld);
  EXPECT_FALSE(AnyReady());
  ExpectInvariants();
  center_.Must(ReleaseJob{array});
  EXPECT_EQ(center_.cluster().StartableTasks(array), 1);
  EXPECT_TRUE(AnyReady());
}

TEST_F(ArrayTest, TheQueuesBoundCountsTasks) {
  center_.Must(AddTenant{"small", "", absl::ZeroDuration(), 5});
  center_.Must(AddUser{"user-small", "small", Role::kMember});
  EXPECT_TRUE(center_.TrySubmit({.tenant = "small", .array = {.count = 4}}).ok());
  const auto refused = center_.TrySubmit({.tenant = "small", .array = {.count = 2}});
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_TRUE(center_.TrySubmit({.tenant = "small"}).ok());
}

TEST_F(ArrayTest, ImpossibleRangesAreRefused) {
  for (const ArrayRange& range : {
           ArrayRange{.count = 100001},
           ArrayRange{           .count = -1              },
           ArrayRange{ .first = -1,               .count = 2},
           ArrayRange{                .count = 2,               .step = 0},
           ArrayRange{       .first = 2147483647,               .count = 2},
           ArrayRange{                .count = 2,               .concurrent_max = -1}
  }) {
    EXPECT_EQ(center_.TrySubmit({.array = range}).status().code(),
              absl::StatusCode::kInvalidArgument)
        << range.first << " " << range.count;
  }
  const std::vector<std::vector<IndexRange>> several = {
      {IndexRange{0, 3, 2}, IndexRange{4, 1, 1}},
      {IndexRange{5, 1, 1}, IndexRange{4, 1, 1}},
      {IndexRange{0, 1, 1}, IndexRange{4, 0, 1}}
  };
  for (const std::vector<IndexRange>& ranges : several) {
    EXPECT_EQ(center_.TrySubmit({.array = MakeArrayRange(ranges)}).status().code(),
              absl::StatusCode::kInvalidArgument);
  }
  EXPECT_FALSE(center_
                   .TrySubmit({
                       .array = {.count = 2, .fails_max = -1}
  })
                   .ok());
}

}  // namespace
}  // namespace berth
