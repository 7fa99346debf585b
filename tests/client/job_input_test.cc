// What `attach` and `run` pass in. The input here is at its end at once.

#include "client/job_input.h"

#include <string>
#include <vector>

#include "absl/time/clock.h"
#include <gtest/gtest.h>

#include "tests/client/fake_scheduler.h"
#include "tests/client/sample_job.h"

namespace berth {
namespace {

class JobInputTest : public testing::Test {
 protected:
  JobInputTest() {
    scheduler_.service.spec.set_open_stdin(true);
    scheduler_.service.jobs[4812] = RunningJob(4812);
  }

  Outcome Attach(std::vector<std::string> words) {
    words.insert(words.begin(), {"attach", "4812"});
    return scheduler_.Run(words);
  }
  // The input has been told to end, and nothing else.
  bool IsEnded() {
    const std::lock_guard<std::mutex> lock(scheduler_.service.mu);
    const auto& inputs = scheduler_.service.inputs;
    return inputs.size() == 2 && inputs[0].enter().has_input() &&
           inputs[0].enter().job_id() == 4812 && inputs[1].end_of_data();
  }
  // Neither the log nor the job ends before it is.
  void FollowUntilEnded() {
    scheduler_.service.await_log = [this] {
      const bool ended = IsEnded();
      if (ended) {
        const std::lock_guard<std::mutex> lock(scheduler_.service.mu);
        scheduler_.service.jobs[4812].set_state(v1::JOB_STATE_SUCCEEDED);
      }
      return ended;
    };
  }

  // What is said while the job goes on.
  std::string TellOf() {
    const Environment environment = scheduler_.environment();
    const int err = memfd_create("err", 0);
    std::string told;
    {
      Console console(err, err);
      Context context(console, environment);
      context.input = open("/dev/null", O_RDONLY | O_CLOEXEC);
      const auto api = ApiClient::Open(
          {.server = environment.at("BERTH_SERVER"), .token = scheduler_.token(), .ca = ""});
      EXPECT_TRUE(api.ok()) << api.status();
      JobInput input(context, **api);
      input.Start(4812);
      const absl::Time give_up = absl::Now() + absl::Seconds(20);
      while (!told.ends_with("again\n") && absl::Now() < give_up) {
        told.resize(static_cast<size_t>(lseek(err, 0, SEEK_END)));
        EXPECT_GE(pread(err, told.data(), told.size(), 0), 0);
      }
      input.Stop();
      close(context.input);
    }
    close(err);
    return told;
  }

  FakeScheduler scheduler_;
};

TEST_F(JobInputTest, AttachPassesTheEndIn) {
  FollowUntilEnded();
  const Outcome outcome = Attach({});
  EXPECT_EQ(outcome.err.find("error"), std::string::npos) << outcome.err;
  EXPECT_TRUE(IsEnded());
}

TEST_F(JobInputTest, AttachToAJobThatWaitsPassesItInOnceItRuns) {
  scheduler_.service.jobs[4812].set_state(v1::JOB_STATE_QUEUED);
  scheduler_.service.jobs[4812].clear_started_at_us();
  FollowUntilEnded();
  const Outcome outcome = Attach({});
  EXPECT_EQ(outcome.err.find("error"), std::string::npos) << outcome.err;
  EXPECT_TRUE(IsEnded());
}

TEST_F(JobInputTest, RunPassesItInFromTheStart) {
  FollowUntilEnded();
  const Outcome outcome = scheduler_.Run({"run", "-i", "--", "cat"});
  EXPECT_TRUE(IsEnded()) << outcome.err;
  EXPECT_TRUE(scheduler_.service.submissions.at(0).spec().open_stdin());
}

TEST_F(JobInputTest, NothingIsPassedInWhereNobodyReads) {
  Attach({"--no-stdin"});
  scheduler_.Run({"attach", "4812/3"});
  scheduler_.service.spec.set_open_stdin(false);
  Attach({});
  scheduler_.service.jobs[4812].set_state(v1::JOB_STATE_SUCCEEDED);
  scheduler_.Run({"run", "--", "cat"});
  EXPECT_TRUE(scheduler_.service.inputs.empty());
}

TEST_F(JobInputTest, WhatDoesNotReachTheJobIsTold) {
  scheduler_.service.channel_end.set_error("nothing in the job reads it");
  const std::string told = TellOf();
  EXPECT_NE(told.find("error[B4306]"), std::string::npos) << told;
  EXPECT_NE(told.find("nothing in the job reads it"), std::string::npos) << told;
}

TEST_F(JobInputTest, AWayThatCannotBeHadIsTold) {
  scheduler_.service.enter_status = absl::PermissionDeniedError("it is not yours to enter");
  const std::string told = TellOf();
  EXPECT_NE(told.find("error[B4306]"), std::string::npos) << told;
  EXPECT_NE(told.find("not yours"), std::string::npos) << told;
}

TEST_F(JobInputTest, AnArrayIsNotRunWithIt) {
  const Outcome outcome = scheduler_.Run({"run", "-i", "--array", "0-3", "--", "cat"});
  EXPECT_EQ(outcome.code, 2);
  EXPECT_NE(outcome.err.find("berth attach JOB.INDEX"), std::string::npos) << outcome.err;
  EXPECT_TRUE(scheduler_.service.submissions.empty());
}

}  // namespace
}  // namespace berth
