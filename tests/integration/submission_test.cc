// Jobs from the API to the database and back.

#include <chrono>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include <gtest/gtest.h>

#include "common/error_detail.h"
#include "tests/testing/running_server.h"
#include "tests/testing/scripted_agent.h"

namespace berth {
namespace {

using Stub = TestClient::Stub;

class Submission : public ::testing::Test {
 protected:
  Submission() {
    server_.AddTenant("acme");
    server_.SetQuota("acme", "sim", 8);
    user_token_ = server_.AddUser("acme", "ada", v1::ROLE_MEMBER);
  }
  TestClient User() { return server_.Client(user_token_); }

  // A node that makes the class known, and has gone: no job is started on it.
  void AddSilentNode() {
    {
      ScriptedAgent agent(server_.address(), "n1", server_.AddNodeToken("n1"));
      agent.Join();
    }
    TestClient client = server_.Operator();
    v1::ListNodesResponse nodes;
    do {
      ASSERT_TRUE(client.Call(&Stub::ListNodes, v1::ListNodesRequest(), &nodes).ok());
    } while (nodes.nodes(0).state() != v1::NODE_STATE_SUSPECT);
  }

  RunningServer server_;
  std::string user_token_;
};

TEST_F(Submission, IsDurableWhenAcknowledged) {
  AddSilentNode();
  v1::SubmitJobRequest request = JobOf(1, 2, "first");
  (*request.mutable_spec()->mutable_environment())["SEED"] = "7";
  request.mutable_spec()->set_priority(5);
  const auto id = User().Submit(request);
  ASSERT_TRUE(id.ok()) << id.status();

  server_.Restart();

  const auto job = User().GetJob(*id);
  ASSERT_TRUE(job.ok()) << job.status();
  EXPECT_EQ(job->name(), "first");
  EXPECT_EQ(job->tenant(), "acme");
  EXPECT_EQ(job->project(), "default");
  EXPECT_EQ(job->user(), "ada");
  EXPECT_EQ(job->priority(), 5);
  EXPECT_EQ(job->gang().devices_per_node(), 2);
  EXPECT_EQ(job->state(), v1::JOB_STATE_QUEUED);
  EXPECT_EQ(job->time_limit_ms(), 24 * 3600 * 1000);
  EXPECT_EQ(job->grace_ms(), 300 * 1000);

  v1::GetJobRequest get;
  get.set_job_id(*id);
  get.set_with_spec(true);
  v1::GetJobResponse response;
  ASSERT_TRUE(User().Call(&Stub::GetJob, get, &response).ok());
  EXPECT_EQ(response.spec().environment().at("SEED"), "7");
  EXPECT_EQ(response.spec().command(0), "/bin/true");
  ASSERT_TRUE(server_.Operator().Call(&Stub::GetJob, get, &response).ok());
  EXPECT_EQ(response.spec().environment().at("SEED"), "(redacted)");
}

TEST_F(Submission, SameKeyIsOneJobAndAnotherPayloadAConflict) {
  AddSilentNode();
  v1::SubmitJobRequest request = JobOf(1, 1);
  request.set_idempotency_key("key-1");
  const auto first = User().Submit(request);
  ASSERT_TRUE(first.ok()) << first.status();
  server_.Restart();

  v1::SubmitJobResponse again;
  ASSERT_TRUE(User().Call(&Stub::SubmitJob, request, &again).ok());
  EXPECT_EQ(again.job_id(), *first);
  EXPECT_TRUE(again.existing());

  request.mutable_spec()->add_command("--other");
  const auto conflict = User().Submit(request);
  EXPECT_EQ(conflict.status().code(), absl::StatusCode::kAlreadyExists);
  EXPECT_NE(conflict.status().message().find(absl::StrCat("job ", *first)), std::string::npos);
}

TEST_F(Submission, HundredAtOnceWithOneKeyAreOneJob) {
  AddSilentNode();
  v1::SubmitJobRequest request = JobOf(1, 1);
  request.set_idempotency_key("key-2");
  TestClient user = User();
  std::vector<std::thread> threads;
  std::vector<uint64_t> ids(100);
  for (size_t i = 0; i < ids.size(); ++i) {
    threads.emplace_back([&, i] {
      const auto id = user.Submit(request);
      ids[i] = id.ok() ? *id : 0;
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  const std::set<uint64_t> distinct(ids.begin(), ids.end());
  EXPECT_EQ(distinct.size(), 1u);
  EXPECT_EQ(distinct.count(0), 0u);
  v1::ListJobsResponse jobs;
  ASSERT_TRUE(user.Call(&Stub::ListJobs, v1::ListJobsRequest(), &jobs).ok());
  EXPECT_EQ(jobs.jobs_size(), 1);
}

TEST_F(Submission, BulkAnswersEachJobByItself) {
  AddSilentNode();
  v1::SubmitJobsRequest request;
  for (int i = 0; i < 500; ++i) {
    *request.add_jobs() = JobOf(1, 1, absl::StrCat("job-", i));
  }
  request.mutable_jobs(7)->mutable_spec()->clear_command();
  request.mutable_jobs(9)->mutable_spec()->mutable_gang()->set_nodes(9);
  v1::SubmitJobsResponse response;
  const absl::Status status = User().Call(&Stub::SubmitJobs, request, &response);
  ASSERT_TRUE(status.ok()) << status;
  ASSERT_EQ(response.results_size(), 500);
  EXPECT_EQ(response.results(7).error().code(), "B1220");
  EXPECT_EQ(response.results(7).job_id(), 0u);
  EXPECT_TRUE(response.results(9).error().refused_by_entitlement());
  std::set<uint64_t> ids;
  for (const auto& result : response.results()) {
    if (!result.has_error()) {
      ids.insert(result.job_id());
    }
  }
  EXPECT_EQ(ids.size(), 498u);
}

TEST_F(Submission, ListsPageBackwards) {
  AddSilentNode();
  std::vector<uint64_t> ids;
  for (int i = 0; i < 5; ++i) {
    ids.push_back(*User().Submit(JobOf(1, 1)));
  }
  v1::ListJobsRequest request;
  request.set_page_size(2);
  std::vector<uint64_t> seen;
  do {
    v1::ListJobsResponse response;
    ASSERT_TRUE(User().Call(&Stub::ListJobs, request, &response).ok());
    for (const v1::Job& job : response.jobs()) {
      seen.push_back(job.id());
    }
    request.set_before_job_id(response.next_before_job_id());
  } while (request.before_job_id() != 0);
  EXPECT_EQ(seen, std::vector<uint64_t>(ids.rbegin(), ids.rend()));

  request.set_page_size(-1);
  v1::ListJobsResponse response;
  EXPECT_EQ(User().Call(&Stub::ListJobs, request, &response).code(),
            absl::StatusCode::kInvalidArgument);
}

TEST_F(Submission, HoldReleaseCancelAnswerWithTheJob) {
  AddSilentNode();
  v1::SubmitJobRequest request = JobOf(1, 1);
  request.mutable_spec()->set_hold(true);
  const uint64_t id = *User().Submit(request);
  v1::ReleaseJobRequest release;
  release.set_job_id(id);
  v1::ReleaseJobResponse released;
  ASSERT_TRUE(User().Call(&Stub::ReleaseJob, release, &released).ok());
  EXPECT_EQ(released.job().state(), v1::JOB_STATE_QUEUED);
  v1::HoldJobRequest hold;
  hold.set_job_id(id);
  v1::HoldJobResponse held;
  ASSERT_TRUE(User().Call(&Stub::HoldJob, hold, &held).ok());
  EXPECT_EQ(held.job().state(), v1::JOB_STATE_HELD);
  v1::CancelJobRequest cancel;
  cancel.set_job_id(id);
  cancel.set_reason("enough");
  v1::CancelJobResponse cancelled;
  ASSERT_TRUE(User().Call(&Stub::CancelJob, cancel, &cancelled).ok());
  EXPECT_EQ(cancelled.job().state(), v1::JOB_STATE_CANCELLED);
  EXPECT_EQ(cancelled.job().end().reason(), v1::END_REASON_CANCELLED);
  EXPECT_EQ(User().Wait(id, v1::WaitJobRequest::UNTIL_ENDED).state(), v1::JOB_STATE_CANCELLED);
}

TEST_F(Submission, DryRunChangesNothing) {
  AddSilentNode();
  v1::SubmitJobRequest request = JobOf(1, 1);
  request.set_dry_run(true);
  const auto id = User().Submit(request);
  ASSERT_TRUE(id.ok()) << id.status();
  EXPECT_EQ(*id, 0u);
  v1::ListJobsResponse jobs;
  ASSERT_TRUE(User().Call(&Stub::ListJobs, v1::ListJobsRequest(), &jobs).ok());
  EXPECT_EQ(jobs.jobs_size(), 0);
}

// A stop answers what waits, and is quick.
TEST_F(Submission, StopEndsLongPolls) {
  AddSilentNode();
  v1::SubmitJobRequest request = JobOf(1, 1);
  request.mutable_spec()->set_hold(true);
  const uint64_t id = *User().Submit(request);
  TestClient user = User();
  absl::Status status;
  std::thread waiting([&] {
    v1::WaitJobRequest wait;
    wait.set_job_id(id);
    wait.set_timeout_ms(60000);
    v1::WaitJobResponse response;
    status = user.Call(&Stub::WaitJob, wait, &response);
  });
  // Whether the long wait has arrived by now or not, the stop ends it: as Unavailable, or, if it
  // arrives while the port closes, as Cancelled by gRPC; or it meets the next server and the
  // cancel.
  User().Wait(id, v1::WaitJobRequest::UNTIL_CHANGED);
  const auto before = std::chrono::steady_clock::now();
  server_.Stop();
  EXPECT_LT(std::chrono::steady_clock::now() - before, std::chrono::seconds(5));
  server_.Start();
  v1::CancelJobRequest cancel;
  cancel.set_job_id(id);
  v1::CancelJobResponse cancelled;
  EXPECT_TRUE(User().Call(&Stub::CancelJob, cancel, &cancelled).ok());
  waiting.join();
  EXPECT_TRUE(status.ok() || absl::IsUnavailable(status) || absl::IsCancelled(status)) << status;
}

}  // namespace
}  // namespace berth
