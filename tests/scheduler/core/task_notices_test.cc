#include "scheduler/core/task_notices.h"

#include <utility>

#include <gtest/gtest.h>

#include "tests/testing/test_center.h"

namespace berth {
namespace {

class TaskNoticesTest : public testing::Test {
 protected:
  void SetUp() override {
    center_.AddTenant("acme");
    n1_ = center_.AddNode("n1");
    n2_ = center_.AddNode("n2");
  }
  JobId Running(const TestJob& job) { return center_.SubmitRunning(job); }
  const Allocation& Member(JobId job, size_t rank) {
    return center_.cluster().GetAllocation(center_.GetJob(job).allocations.at(rank));
  }
  Attempt AttemptOf(JobId job) { return center_.GetJob(job).attempt; }
  static TaskNotice NoticeOf(const Allocation& member, uint64_t count) {
    TaskNotice notice;
    notice.allocation = member.id;
    notice.job = member.job;
    notice.attempt = member.attempt;
    notice.count = count;
    return notice;
  }
  void Tell(NodeId node, const TaskNotice& notice) {
    center_.engine().Apply(AgentEvent(AgentNotices{node, center_.session(node), {notice}}),
                           center_.now());
  }
  void Tell(const Allocation& member, const TaskNotice& notice) { Tell(member.node, notice); }

  TestCenter center_;
  NodeId n1_;
  NodeId n2_;
};

TEST_F(TaskNoticesTest, ACheckpointIsDatedByItsAgeAndTheTextsStay) {
  const JobId job = Running({.devices = 8});
  center_.Advance(absl::Seconds(10));
  TaskNotice notice = NoticeOf(Member(job, 0), 1);
  notice.checkpoint = "step=7";
  notice.checkpoint_age = absl::Seconds(3);
  notice.progress_milli = 400;
  notice.text = "epoch 3";
  Tell(Member(job, 0), notice);
  EXPECT_EQ(AttemptOf(job).checkpoint_at, center_.now() - absl::Seconds(3));
  ASSERT_NE(AttemptOf(job).notice, nullptr);
  EXPECT_EQ(AttemptOf(job).notice->checkpoint, "step=7");
  EXPECT_EQ(AttemptOf(job).notice->progress_milli, 400);
  EXPECT_EQ(AttemptOf(job).notice->text, "epoch 3");
}

// A node whose clock is wild moves nothing out of the attempt's time, nor backwards.
TEST_F(TaskNoticesTest, ACheckpointLiesInsideTheAttemptAndGoesForwardOnly) {
  const JobId job = Running({.devices = 8});
  center_.Advance(absl::Seconds(10));
  TaskNotice notice = NoticeOf(Member(job, 0), 1);
  notice.checkpoint = "old";
  notice.checkpoint_age = absl::Hours(5);
  Tell(Member(job, 0), notice);
  EXPECT_EQ(AttemptOf(job).checkpoint_at, AttemptOf(job).created_at);
  notice.count = 2;
  notice.checkpoint = "new";
  notice.checkpoint_age = -absl::Hours(5);
  Tell(Member(job, 0), notice);
  EXPECT_EQ(AttemptOf(job).checkpoint_at, center_.now());
  notice.count = 3;
  notice.checkpoint = "older";
  notice.checkpoint_age = absl::Seconds(2);
  Tell(Member(job, 0), notice);
  EXPECT_EQ(AttemptOf(job).checkpoint_at, center_.now());
  EXPECT_EQ(AttemptOf(job).notice->checkpoint, "new");
}

TEST_F(TaskNoticesTest, TheSameNoticeAgainChangesNothing) {
  const JobId job = Running({.devices = 8});
  TaskNotice notice = NoticeOf(Member(job, 0), 1);
  notice.checkpoint = "step=7";
  Tell(Member(job, 0), notice);
  const uint64_t version = center_.GetJob(job).version;
  center_.Advance(absl::Seconds(10));
  Tell(Member(job, 0), notice);
  EXPECT_EQ(center_.GetJob(job).version, version);
}

// What a scheduler that restarted hears again is not known to it by its number; the ages are a
// moment off.
TEST_F(TaskNoticesTest, TheSameWordsAMomentLaterChangeNothing) {
  const JobId job = Running({.devices = 8});
  TaskNotice notice = NoticeOf(Member(job, 0), 1);
  notice.checkpoint = "step=7";
  notice.text = "epoch 3";
  Tell(Member(job, 0), notice);
  const uint64_t version = center_.GetJob(job).version;
  const absl::Time told_at = center_.now();
  center_.Advance(absl::Seconds(5));
  notice.count = 2;
  notice.age = absl::Milliseconds(4990);
  notice.checkpoint_age = absl::Milliseconds(4990);
  Tell(Member(job, 0), notice);
  EXPECT_EQ(center_.GetJob(job).version, version);
  EXPECT_EQ(AttemptOf(job).checkpoint_at, told_at);
  notice.count = 3;
  notice.checkpoint = "step=8";
  Tell(Member(job, 0), notice);
  EXPECT_EQ(AttemptOf(job).notice->checkpoint, "step=8");
}

TEST_F(TaskNoticesTest, OfSeveralMembersTheLatestCounts) {
  const JobId job = Running({.nodes = 2, .devices = 8});
  center_.Advance(absl::Seconds(10));
  TaskNotice first = NoticeOf(Member(job, 0), 5);
  first.text = "new";
  Tell(Member(job, 0), first);
  TaskNotice second = NoticeOf(Member(job, 1), 9);
  second.text = "old";
  second.age = absl::Seconds(5);
  Tell(Member(job, 1), second);
  EXPECT_EQ(AttemptOf(job).notice->text, "new");
}

TEST_F(TaskNoticesTest, ANodeSpeaksForItsOwnMembersOnly) {
  const JobId job = Running({.devices = 8});
  const Allocation member = Member(job, 0);
  Tell(member.node == n1_ ? n2_ : n1_, NoticeOf(member, 1));
  TaskNotice other_attempt = NoticeOf(member, 1);
  other_attempt.attempt = 7;
  Tell(member, other_attempt);
  const SessionId old = center_.session(member.node);
  center_.Hello(
      member.node,
      {
          {member.id, member.job, member.attempt, TaskState::kRunning, member.assign_seq}
  },
      member.assign_seq);
  center_.engine().Apply(AgentEvent(AgentNotices{member.node, old, {NoticeOf(member, 1)}}),
                         center_.now());
  EXPECT_EQ(AttemptOf(job).notice, nullptr);
}

TEST_F(TaskNoticesTest, TheLastOneComesWithTheEnd) {
  const JobId job = Running({.devices = 8});
  const Allocation member = Member(job, 0);
  TaskReport report;
  report.kind = ReportKind::kLostShim;
  report.allocation = member.id;
  report.notice = NoticeOf(member, 3);
  report.notice.checkpoint = "step=9";
  center_.Advance(absl::Seconds(10));
  center_.engine().Apply(AgentEvent(AgentReport{member.node, center_.session(member.node), report}),
                         center_.now());
  ASSERT_NE(AttemptOf(job).notice, nullptr);
  EXPECT_EQ(AttemptOf(job).notice->checkpoint, "step=9");
  // The next attempt has told nothing yet.
  EXPECT_EQ(center_.state(job), JobState::kQueued);
  center_.Advance(absl::Seconds(15));
  center_.engine().Apply(AgentEvent(Tick{}), center_.now());
  center_.Round();
  EXPECT_EQ(AttemptOf(job).number, 1);
  EXPECT_EQ(AttemptOf(job).notice, nullptr);
  EXPECT_EQ(AttemptOf(job).checkpoint_at, absl::InfinitePast());
}

}  // namespace
}  // namespace berth
