// What people read about one job, and about each of many.

#include <string>

#include <gtest/gtest.h>

#include "common/error_detail.h"
#include "tests/client/fake_scheduler.h"
#include "tests/client/sample_job.h"
#include <nlohmann/json.hpp>

namespace berth {
namespace {

TEST(Ps, AnElasticJobCountsWhatItHolds) {
  FakeScheduler scheduler;
  v1::Job& job = scheduler.service.jobs[7] = RunningJob(7);
  job.mutable_gang()->set_nodes(3);
  job.mutable_gang()->set_min_nodes(1);
  EXPECT_NE(scheduler.Run({"ps"}).out.find("running        2      1 "), std::string::npos)
      << scheduler.Run({"ps"}).out;
  job.set_state(v1::JOB_STATE_QUEUED);
  job.clear_allocations();
  EXPECT_NE(scheduler.Run({"ps"}).out.find("pending        6      3 "), std::string::npos)
      << scheduler.Run({"ps"}).out;
}

TEST(Show, TellsTheAttemptsApartAndQuotesTheCommand) {
  FakeScheduler scheduler;
  v1::Job& job = scheduler.service.jobs[7] = RunningJob(7);
  job.set_state(v1::JOB_STATE_CANCELLED);
  job.set_cancel_requested(true);
  job.set_attempt(1);
  *job.add_allocations() = job.allocations(0);
  job.mutable_allocations(1)->set_attempt(1);
  scheduler.service.command = {"sh", "-c", "echo it's $RANK", ""};
  const std::string out = scheduler.Run({"show", "7", "--attempts"}).out;
  EXPECT_NE(out.find("allocation  attempt 0, rank 0 on n1"), std::string::npos) << out;
  EXPECT_NE(out.find("allocation  rank 0 on n1"), std::string::npos) << out;
  EXPECT_NE(out.find("command     sh -c 'echo it'\\''s $RANK' ''\n"), std::string::npos) << out;
  EXPECT_NE(out.find("state       cancelled\n"), std::string::npos) << out;
}

// What an auditor may not see does not take the rest along.
TEST(Show, AnAuditorSeesAllButWhatTheJobRuns) {
  FakeScheduler scheduler;
  scheduler.service.jobs[7] = RunningJob(7);
  const absl::Status hidden = MakeError(
      absl::StatusCode::kPermissionDenied,
      {.code = "B7208", .message = "an auditor may not see what a job runs", .why = "", .fix = ""});
  scheduler.service.failures = {hidden};
  const Outcome outcome = scheduler.Run({"show", "7"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_NE(outcome.out.find("owner       acme/llm, wei\n"), std::string::npos) << outcome.out;
}

TEST(Show, NamesWhatIsAskedOfTheNodesAndWhenItRunsAgain) {
  FakeScheduler scheduler;
  v1::Job& job = scheduler.service.jobs[7] = RunningJob(7);
  job.mutable_gang()->mutable_per_node()->set_cpu_milli(2500);
  job.mutable_gang()->mutable_per_node()->set_memory_mib(2048);
  (*job.mutable_gang()->mutable_node_labels())["zone"] = "east";
  job.mutable_gang()->add_excluded_nodes("n7");
  job.mutable_gang()->add_excluded_nodes("n8");
  job.set_no_borrow(true);
  scheduler.service.launch = v1::LAUNCH_MODE_DEVICE;
  v1::RequeuePolicy& requeue = scheduler.service.requeue.emplace();
  requeue.set_on_preempt(true);
  requeue.add_exit_codes(75);
  requeue.set_max_requeues(3);
  const std::string out = scheduler.Run({"show", "7"}).out;
  for (const char* line :
       {"cores       2.5 on each node\n", "memory      2.0 GiB on each node\n",
        "label       zone=east\n", "not on      n[7-8]\n", "launch      once per device\n",
        "borrows     no\n", "requeue     after preempt, exit 75; at most 3 times\n"}) {
    EXPECT_NE(out.find(line), std::string::npos) << line << out;
  }
  const auto spec =
      nlohmann::json::parse(scheduler.Run({"show", "7", "-o", "json"}).out)["items"][0]["spec"];
  EXPECT_EQ(spec["requeue"]["max_requeues"], 3);
  EXPECT_EQ(spec["requeue"]["exit_codes"][0], 75);
  EXPECT_EQ(spec["on_node_loss"], "requeue");
}

}  // namespace
}  // namespace berth
