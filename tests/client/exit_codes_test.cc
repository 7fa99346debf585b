#include "client/exit_codes.h"

#include <gtest/gtest.h>

namespace berth {
namespace {

int CodeOf(v1::JobState state, v1::EndReason reason, int exit_code = 0, int signal = 0) {
  v1::Job job;
  job.set_state(state);
  job.mutable_end()->set_reason(reason);
  job.mutable_end()->set_exit_code(exit_code);
  job.mutable_end()->set_signal(signal);
  return ExitCodeOfJob(job);
}

TEST(ExitCodeOfJob, PassesTheJobsOwnCode) {
  EXPECT_EQ(CodeOf(v1::JOB_STATE_SUCCEEDED, v1::END_REASON_EXIT), 0);
  EXPECT_EQ(CodeOf(v1::JOB_STATE_FAILED, v1::END_REASON_EXIT, 1), 1);
  EXPECT_EQ(CodeOf(v1::JOB_STATE_FAILED, v1::END_REASON_EXIT, 119), 119);
  EXPECT_EQ(CodeOf(v1::JOB_STATE_FAILED, v1::END_REASON_EXIT, 121), 121);
}

TEST(ExitCodeOfJob, FollowsTheShellForSignals) {
  EXPECT_EQ(CodeOf(v1::JOB_STATE_FAILED, v1::END_REASON_SIGNAL, 0, 11), 139);
  EXPECT_EQ(CodeOf(v1::JOB_STATE_FAILED, v1::END_REASON_SIGNAL, 0, 15), 143);
  EXPECT_EQ(CodeOf(v1::JOB_STATE_FAILED, v1::END_REASON_OOM), 137);
}

TEST(ExitCodeOfJob, NamesOtherEnds) {
  EXPECT_EQ(CodeOf(v1::JOB_STATE_CANCELLED, v1::END_REASON_CANCELLED), 121);
  EXPECT_EQ(CodeOf(v1::JOB_STATE_TIMED_OUT, v1::END_REASON_TIME_LIMIT), 122);
  EXPECT_EQ(CodeOf(v1::JOB_STATE_TIMED_OUT, v1::END_REASON_IDLE), 122);
  EXPECT_EQ(CodeOf(v1::JOB_STATE_DEPENDENCY_FAILED, v1::END_REASON_DEPENDENCY), 120);
  EXPECT_EQ(CodeOf(v1::JOB_STATE_FAILED, v1::END_REASON_PREPARE_TIMEOUT), 120);
  EXPECT_EQ(CodeOf(v1::JOB_STATE_FAILED, v1::END_REASON_IMAGE_ERROR), 120);
  EXPECT_EQ(CodeOf(v1::JOB_STATE_FAILED, v1::END_REASON_NODE_FAULT), 123);
  EXPECT_EQ(CodeOf(v1::JOB_STATE_FAILED, v1::END_REASON_PREEMPTED), 123);
  EXPECT_EQ(CodeOf(v1::JOB_STATE_FAILED, v1::END_REASON_LAUNCH_ERROR, 126), 126);
  EXPECT_EQ(CodeOf(v1::JOB_STATE_FAILED, v1::END_REASON_LAUNCH_ERROR, 127), 127);
}

}  // namespace
}  // namespace berth
