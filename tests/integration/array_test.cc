// Arrays, dependencies and what is left of them, through the API and with an agent played by hand.

#include <cstdint>
#include <string>

#include "absl/strings/str_cat.h"
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include "common/error_detail.h"
#include "common/grpc_status.h"
#include "tests/testing/running_server.h"
#include "tests/testing/scripted_agent.h"

namespace berth {
namespace {

using Stub = TestClient::Stub;

class Arrays : public ::testing::Test {
 protected:
  Arrays() : agent_(server_.address(), "n1", server_.AddNodeToken("n1")) {
    server_.AddTenant("acme");
    server_.SetQuota("acme", "sim", 8);
    user_token_ = server_.AddUser("acme", "ada", v1::ROLE_MEMBER);
    server_.AddTenant("other");
    stranger_token_ = server_.AddUser("other", "bob", v1::ROLE_MEMBER);
    agent_.Join();
  }
  TestClient User() { return server_.Client(user_token_); }
  TestClient Stranger() { return server_.Client(stranger_token_); }

  static absl::StatusOr<uint64_t> FindTask(TestClient client, uint64_t array, int index) {
    v1::FindArrayTaskRequest request;
    request.set_array_id(array);
    request.set_index(index);
    v1::FindArrayTaskResponse response;
    const absl::Status status = client.Call(&Stub::FindArrayTask, request, &response);
    return status.ok() ? absl::StatusOr<uint64_t>(response.job_id()) : status;
  }

  static v1::SubmitJobRequest After(uint64_t job) {
    v1::SubmitJobRequest request = JobOf(1, 1, "child");
    v1::Dependency& dependency = *request.mutable_spec()->add_dependencies();
    dependency.set_kind(v1::DEPENDENCY_KIND_OK);
    dependency.set_job_id(job);
    return request;
  }

  // Runs the next task that comes.
  v1::Assignment RunNext() {
    v1::Assignment assignment = agent_.TakeAssignment();
    agent_.Tell(assignment, v1::REPORT_KIND_STARTED);
    agent_.Tell(assignment, v1::REPORT_KIND_EXITED);
    return assignment;
  }

  RunningServer server_;
  ScriptedAgent agent_;
  std::string user_token_;
  std::string stranger_token_;
};

TEST_F(Arrays, RunTaskByTaskWithTheSameSpecification) {
  v1::SubmitJobRequest request = JobOf(1, 8, "sweep");
  request.mutable_spec()->mutable_array()->set_first(4);
  request.mutable_spec()->mutable_array()->set_step(3);
  request.mutable_spec()->mutable_array()->set_count(3);
  const uint64_t array = *User().Submit(request);
  for (const int index : {4, 7, 10}) {
    const v1::Assignment assignment = RunNext();
    EXPECT_EQ(assignment.array_id(), array);
    EXPECT_EQ(assignment.array_index(), index);
    v1::JobSpec spec;
    ASSERT_TRUE(spec.ParseFromString(assignment.job_spec()));
    EXPECT_EQ(spec.command(0), "/bin/true");
    EXPECT_EQ(*FindTask(User(), array, index), assignment.job_id());
    const auto task = User().GetJob(assignment.job_id());
    ASSERT_TRUE(task.ok()) << task.status();
    EXPECT_EQ(task->array_id(), array);
    EXPECT_EQ(task->array_index(), index);
  }
  const v1::Job ended = User().Wait(array, v1::WaitJobRequest::UNTIL_ENDED);
  EXPECT_EQ(ended.state(), v1::JOB_STATE_SUCCEEDED);
  EXPECT_EQ(ended.array().count(), 3);
  EXPECT_EQ(ended.array().succeeded(), 3);
  EXPECT_EQ(ended.array().live(), 0);
}

TEST_F(Arrays, ATaskIsFoundOnceItIsAJob) {
  v1::SubmitJobRequest request = JobOf(1, 8, "sweep");
  request.mutable_spec()->mutable_array()->set_count(2);
  const uint64_t array = *User().Submit(request);
  const v1::Assignment first = agent_.TakeAssignment();
  EXPECT_EQ(*FindTask(User(), array, 0), first.job_id());
  EXPECT_EQ(FindTask(User(), array, 1).status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(FindTask(User(), array, 2).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(FindTask(User(), first.job_id(), 0).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(FindTask(Stranger(), array, 0).status().code(), absl::StatusCode::kNotFound);
}

TEST_F(Arrays, StandInAListForTheirTasksWhereThoseAreLeftOut) {
  v1::SubmitJobRequest request = JobOf(1, 4, "sweep");
  request.mutable_spec()->mutable_array()->set_count(2);
  const uint64_t array = *User().Submit(request);
  RunNext();
  agent_.Tell(agent_.TakeAssignment(), v1::REPORT_KIND_STARTED);
  v1::ListJobsRequest list;
  list.set_all_states(true);
  list.set_page_size(1);
  v1::ListJobsResponse listed;
  ASSERT_TRUE(User().Call(&Stub::ListJobs, list, &listed).ok());
  EXPECT_GT(listed.jobs(0).id(), array);
  list.set_without_tasks(true);
  ASSERT_TRUE(User().Call(&Stub::ListJobs, list, &listed).ok());
  EXPECT_EQ(listed.jobs(0).id(), array);
  EXPECT_EQ(listed.next_before_job_id(), 0u);
}

TEST_F(Arrays, HaveNoLogButTellWhoHas) {
  v1::SubmitJobRequest request = JobOf(1, 4, "sweep");
  request.mutable_spec()->mutable_array()->set_first(3);
  request.mutable_spec()->mutable_array()->set_count(2);
  v1::StreamLogsRequest logs;
  logs.set_job_id(*User().Submit(request));
  logs.set_follow(true);
  TestClient user = User();
  grpc::ClientContext context;
  user.Prepare(context);
  const auto reader = user.stub().StreamLogs(&context, logs);
  v1::StreamLogsResponse piece;
  EXPECT_FALSE(reader->Read(&piece));
  const auto detail = FindDetail(FromGrpcStatus(reader->Finish(), context));
  ASSERT_TRUE(detail.has_value());
  EXPECT_EQ(detail->code, "B4301");
  EXPECT_EQ(detail->fix[0].find(absl::StrCat(logs.job_id(), ".3 ")), 0u) << detail->fix[0];
}

TEST_F(Arrays, SurviveARestart) {
  v1::SubmitJobRequest request = JobOf(1, 8, "sweep");
  v1::ArraySpec& range = *request.mutable_spec()->mutable_array();
  range.set_fails_max(2);
  for (const int first : {0, 4, 7}) {
    range.add_ranges()->set_first(first);
    range.mutable_ranges()->rbegin()->set_count(1);
  }
  request.mutable_spec()->add_matrix()->set_name("seed");
  for (int seed = 10; seed < 18; ++seed) {
    request.mutable_spec()->mutable_matrix(0)->add_values(absl::StrCat(seed));
  }
  const uint64_t array = *User().Submit(request);
  RunNext();
  const v1::Assignment second = agent_.TakeAssignment();
  agent_.Tell(second, v1::REPORT_KIND_STARTED);
  agent_.Disconnect();
  server_.Restart();
  const auto job = User().GetJob(array);
  ASSERT_TRUE(job.ok()) << job.status();
  EXPECT_EQ(job->array().started(), 2);
  EXPECT_EQ(job->array().succeeded(), 1);
  EXPECT_EQ(job->array().live(), 1);
  EXPECT_EQ(job->array().fails_max(), 2);
  EXPECT_EQ(job->array().ranges_size(), 3);
  agent_.Connect();
  agent_.Join();
  agent_.Tell(second, v1::REPORT_KIND_EXITED);
  const v1::Assignment last = RunNext();
  EXPECT_EQ(last.array_index(), 7);
  v1::JobSpec spec;
  ASSERT_TRUE(spec.ParseFromString(last.job_spec()));
  EXPECT_EQ(spec.matrix(0).values(last.array_index()), "17");
  EXPECT_EQ(User().Wait(array, v1::WaitJobRequest::UNTIL_ENDED).array().succeeded(), 3);
}

TEST_F(Arrays, KeepTheirCancelledTasksOverARestart) {
  v1::SubmitJobRequest request = JobOf(1, 8, "sweep");
  request.mutable_spec()->mutable_array()->set_count(5);
  v1::CancelJobRequest cancel;
  cancel.set_array_id(*User().Submit(request));
  const v1::Assignment first = agent_.TakeAssignment();
  v1::CancelJobResponse response;
  EXPECT_EQ(User().Call(&Stub::CancelJob, cancel, &response).code(),
            absl::StatusCode::kInvalidArgument);
  v1::IndexRange& range = *cancel.add_tasks();
  range.set_first(1);
  range.set_count(2);
  EXPECT_EQ(Stranger().Call(&Stub::CancelJob, cancel, &response).code(),
            absl::StatusCode::kNotFound);
  ASSERT_TRUE(User().Call(&Stub::CancelJob, cancel, &response).ok());
  EXPECT_EQ(response.tasks().waiting(), 2);
  EXPECT_EQ(response.job().array().cancelled_unstarted(0).first(), 1);
  EXPECT_EQ(response.job().array().started(), 1);
  agent_.Tell(first, v1::REPORT_KIND_STARTED);
  agent_.Disconnect();
  server_.Restart();
  agent_.Connect();
  agent_.Join();
  ASSERT_TRUE(User().Call(&Stub::CancelJob, cancel, &response).ok());
  EXPECT_EQ(response.tasks().before(), 2);
  EXPECT_NE(FindTask(User(), cancel.array_id(), 2).status().message().find("was cancelled"),
            absl::string_view::npos);
  agent_.Tell(first, v1::REPORT_KIND_EXITED);
  EXPECT_EQ(RunNext().array_index(), 3);
  EXPECT_EQ(RunNext().array_index(), 4);
  const v1::Job ended = User().Wait(cancel.array_id(), v1::WaitJobRequest::UNTIL_ENDED);
  EXPECT_EQ(ended.state(), v1::JOB_STATE_CANCELLED);
  EXPECT_EQ(ended.array().succeeded(), 3);
  EXPECT_EQ(ended.array().started(), 3);
  EXPECT_EQ(ended.array().cancelled_unstarted(0).count(), 2);
  EXPECT_EQ(User().Call(&Stub::CancelJob, cancel, &response).code(),
            absl::StatusCode::kFailedPrecondition);
}

// Rule: asking again is no error, while the array lives.
TEST_F(Arrays, KnowATaskThatWasCancelledRunning) {
  v1::SubmitJobRequest request = JobOf(1, 8, "sweep");
  request.mutable_spec()->mutable_array()->set_count(3);
  v1::CancelJobRequest cancel;
  cancel.set_array_id(*User().Submit(request));
  cancel.add_tasks()->set_count(1);
  const v1::Assignment first = agent_.TakeAssignment();
  agent_.Tell(first, v1::REPORT_KIND_STARTED);
  v1::CancelJobResponse response;
  ASSERT_TRUE(User().Call(&Stub::CancelJob, cancel, &response).ok());
  EXPECT_EQ(response.job().id(), first.job_id());
  EXPECT_EQ(response.tasks().stopping(), 1);
  v1::Report killed = agent_.MakeReport(first, v1::REPORT_KIND_KILLED);
  killed.set_stop_reason(v1::STOP_REASON_CANCELLED);
  agent_.Tell(killed);
  User().Wait(first.job_id(), v1::WaitJobRequest::UNTIL_ENDED);
  ASSERT_TRUE(User().Call(&Stub::CancelJob, cancel, &response).ok());
  EXPECT_EQ(response.tasks().before(), 1);
  RunNext();
  cancel.mutable_tasks(0)->set_first(1);
  const v1::Assignment last = agent_.TakeAssignment();
  const absl::Status ended = User().Call(&Stub::CancelJob, cancel, &response);
  EXPECT_EQ(FindDetail(ended)->code, "B4002") << ended;
  agent_.Tell(last, v1::REPORT_KIND_STARTED);
  agent_.Tell(last, v1::REPORT_KIND_EXITED);
  User().Wait(cancel.array_id(), v1::WaitJobRequest::UNTIL_ENDED);
}

TEST_F(Arrays, TheirTasksCanBeListedAlone) {
  v1::SubmitJobRequest request = JobOf(1, 8, "sweep");
  request.mutable_spec()->mutable_array()->set_count(2);
  const uint64_t array = *User().Submit(request);
  const v1::Assignment first = agent_.TakeAssignment();
  agent_.Tell(first, v1::REPORT_KIND_STARTED);
  v1::Report failed = agent_.MakeReport(first, v1::REPORT_KIND_EXITED);
  failed.set_exit_code(3);
  agent_.Tell(failed);
  RunNext();
  *User().Submit(JobOf(1, 1, "other"));
  User().Wait(array, v1::WaitJobRequest::UNTIL_ENDED);
  v1::ListJobsRequest list;
  list.set_all_states(true);
  list.set_array_id(array);
  v1::ListJobsResponse listed;
  ASSERT_TRUE(User().Call(&Stub::ListJobs, list, &listed).ok());
  EXPECT_EQ(listed.jobs_size(), 2);
  list.add_states(v1::JOB_STATE_FAILED);
  ASSERT_TRUE(User().Call(&Stub::ListJobs, list, &listed).ok());
  ASSERT_EQ(listed.jobs_size(), 1);
  EXPECT_EQ(listed.jobs(0).array_index(), 0);
  ASSERT_TRUE(Stranger().Call(&Stub::ListJobs, list, &listed).ok());
  EXPECT_EQ(listed.jobs_size(), 0);
}

// Rule: one listing has the matrices of all arrays in it, for those who may see what they run.
TEST_F(Arrays, TheirMatricesComeWithTheList) {
  v1::SubmitJobRequest request = JobOf(1, 4, "sweep");
  v1::MatrixParameter& seed = *request.mutable_spec()->add_matrix();
  seed.set_name("seed");
  seed.add_values("1");
  seed.add_values("2");
  const uint64_t array = *User().Submit(request);
  RunNext();
  RunNext();
  User().Wait(array, v1::WaitJobRequest::UNTIL_ENDED);
  v1::ListJobsRequest list;
  list.set_all_states(true);
  v1::ListJobsResponse listed;
  ASSERT_TRUE(User().Call(&Stub::ListJobs, list, &listed).ok());
  EXPECT_EQ(listed.jobs_size(), 3);
  EXPECT_EQ(listed.matrices_size(), 0) << "nobody asked";
  list.set_with_matrices(true);
  ASSERT_TRUE(User().Call(&Stub::ListJobs, list, &listed).ok());
  ASSERT_EQ(listed.matrices_size(), 1);
  EXPECT_EQ(listed.matrices(0).array_id(), array);
  ASSERT_EQ(listed.matrices(0).matrix_size(), 1);
  EXPECT_EQ(listed.matrices(0).matrix(0).values(1), "2");
  TestClient auditor = server_.Client(server_.AddUser("", "eve", v1::ROLE_AUDITOR));
  ASSERT_TRUE(auditor.Call(&Stub::ListJobs, list, &listed).ok());
  ASSERT_EQ(listed.matrices_size(), 1);
  EXPECT_EQ(listed.matrices(0).matrix_size(), 0);
}

// Rule: an array whose tasks have all started runs, whatever it holds itself.
TEST_F(Arrays, AreExplainedAsRunningOnceAllTasksStarted) {
  v1::SubmitJobRequest request = JobOf(1, 4, "sweep");
  request.mutable_spec()->mutable_array()->set_count(2);
  v1::ExplainJobRequest explain;
  explain.set_job_id(*User().Submit(request));
  const v1::Assignment first = agent_.TakeAssignment();
  const v1::Assignment second = agent_.TakeAssignment();
  agent_.Tell(first, v1::REPORT_KIND_STARTED);
  agent_.Tell(second, v1::REPORT_KIND_STARTED);
  v1::ExplainJobResponse response;
  ASSERT_TRUE(User().Call(&Stub::ExplainJob, explain, &response).ok());
  EXPECT_EQ(response.explanation().verdict(), v1::Explanation::VERDICT_RUNS);
  v1::Report failed = agent_.MakeReport(first, v1::REPORT_KIND_EXITED);
  failed.set_exit_code(3);
  agent_.Tell(failed);
  agent_.Tell(second, v1::REPORT_KIND_EXITED);
  const v1::Job ended = User().Wait(explain.job_id(), v1::WaitJobRequest::UNTIL_ENDED);
  EXPECT_EQ(ended.end().message(), absl::StrCat("task 0 (job ", first.job_id(), "): exit:3"));
}

TEST_F(Arrays, ADependencyOnAnEndedJobIsDecidedAtOnce) {
  const uint64_t parent = *User().Submit(JobOf(1, 1, "parent"));
  RunNext();
  User().Wait(parent, v1::WaitJobRequest::UNTIL_ENDED);
  const uint64_t child = *User().Submit(After(parent));
  RunNext();
  EXPECT_EQ(User().Wait(child, v1::WaitJobRequest::UNTIL_ENDED).state(), v1::JOB_STATE_SUCCEEDED);
  v1::CancelJobRequest cancel;
  cancel.set_job_id(*User().Submit(JobOf(1, 1, "cancelled")));
  v1::CancelJobResponse response;
  const v1::Assignment running = agent_.TakeAssignment();
  ASSERT_TRUE(User().Call(&Stub::CancelJob, cancel, &response).ok());
  v1::Report killed = agent_.MakeReport(running, v1::REPORT_KIND_KILLED);
  killed.set_stop_reason(v1::STOP_REASON_CANCELLED);
  agent_.Tell(killed);
  User().Wait(cancel.job_id(), v1::WaitJobRequest::UNTIL_ENDED);
  const uint64_t orphan = *User().Submit(After(cancel.job_id()));
  EXPECT_EQ(User().Wait(orphan, v1::WaitJobRequest::UNTIL_ENDED).state(),
            v1::JOB_STATE_DEPENDENCY_FAILED);
}

// Rule: another tenant's jobs do not exist, live or ended.
TEST_F(Arrays, NobodyDependsOnAnotherTenantsJobs) {
  const uint64_t ended = *User().Submit(JobOf(1, 1, "ended"));
  RunNext();
  User().Wait(ended, v1::WaitJobRequest::UNTIL_ENDED);
  const uint64_t live = *User().Submit(JobOf(1, 1, "live"));
  const auto none = Stranger().Submit(After(999));
  EXPECT_FALSE(none.ok());
  for (const uint64_t job : {ended, live}) {
    const auto refused = Stranger().Submit(After(job));
    EXPECT_EQ(refused.status().code(), none.status().code()) << refused.status();
    EXPECT_EQ(FindDetail(refused.status())->code, FindDetail(none.status())->code);
  }
}

}  // namespace
}  // namespace berth
