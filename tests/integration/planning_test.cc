// Changes of jobs, promises of nodes and explanations, through the API.

#include <cstdint>
#include <string>
#include <utility>

#include "absl/time/clock.h"
#include <gtest/gtest.h>

#include "common/error_detail.h"
#include "tests/testing/running_server.h"
#include "tests/testing/scripted_agent.h"

namespace berth {
namespace {

using Stub = TestClient::Stub;

int64_t In(absl::Duration length) {
  return absl::ToUnixMicros(absl::Now() + length);
}

class Planning : public ::testing::Test {
 protected:
  Planning() : agent_(server_.address(), "n1", server_.AddNodeToken("n1")) {
    server_.AddTenant("acme");
    server_.SetQuota("acme", "sim", 8);
    user_token_ = server_.AddUser("acme", "ada", v1::ROLE_MEMBER);
    server_.AddTenant("other");
    stranger_token_ = server_.AddUser("other", "bob", v1::ROLE_MEMBER);
    agent_.Join();
  }
  TestClient User() { return server_.Client(user_token_); }
  TestClient Stranger() { return server_.Client(stranger_token_); }

  static absl::StatusOr<v1::Explanation> Explain(TestClient client,
                                                 const v1::ExplainJobRequest& request) {
    v1::ExplainJobResponse response;
    const absl::Status status = client.Call(&Stub::ExplainJob, request, &response);
    return status.ok() ? absl::StatusOr<v1::Explanation>(response.explanation()) : status;
  }
  static absl::StatusOr<v1::Explanation> ExplainJob(TestClient client, uint64_t job) {
    v1::ExplainJobRequest request;
    request.set_job_id(job);
    return Explain(std::move(client), request);
  }
  static absl::StatusOr<v1::Explanation> Plan(TestClient client,
                                              const v1::SubmitJobRequest& submit) {
    v1::ExplainJobRequest request;
    *request.mutable_submit() = submit;
    return Explain(std::move(client), request);
  }

  static v1::AddBookingRequest Window() {
    v1::AddBookingRequest request;
    request.set_kind(v1::BOOKING_KIND_MAINTENANCE);
    request.add_nodes("n1");
    request.set_from_us(In(absl::Hours(1)));
    request.set_to_us(In(absl::Hours(2)));
    request.set_reason("leaf L1");
    return request;
  }

  static v1::SubmitJobRequest Held() {
    v1::SubmitJobRequest request = JobOf(1, 2, "held");
    request.mutable_spec()->set_hold(true);
    return request;
  }

  RunningServer server_;
  ScriptedAgent agent_;
  std::string user_token_;
  std::string stranger_token_;
};

TEST_F(Planning, AWaitingJobIsChangedDurably) {
  const uint64_t id = *User().Submit(Held());
  v1::UpdateJobRequest update;
  update.set_job_id(id);
  update.set_devices_per_node(4);
  update.set_time_limit_ms(3600 * 1000);
  update.set_priority(9);
  update.set_name("renamed");
  update.set_no_borrow(true);
  v1::UpdateJobResponse response;
  EXPECT_EQ(Stranger().Call(&Stub::UpdateJob, update, &response).code(),
            absl::StatusCode::kNotFound);
  const absl::Status status = User().Call(&Stub::UpdateJob, update, &response);
  ASSERT_TRUE(status.ok()) << status;
  server_.Restart();
  const v1::Job job = *User().GetJob(id);
  EXPECT_EQ(job.gang().devices_per_node(), 4);
  EXPECT_EQ(job.time_limit_ms(), 3600 * 1000);
  EXPECT_EQ(job.priority(), 9);
  EXPECT_EQ(job.name(), "renamed");
  EXPECT_TRUE(job.no_borrow());
}

TEST_F(Planning, ARunningJobIsQueuedAgainAsTheNextAttempt) {
  const uint64_t id = *User().Submit(JobOf(1, 2));
  const v1::Assignment first = agent_.TakeAssignment();
  agent_.Tell(first, v1::REPORT_KIND_STARTED);
  v1::NotifyCheckpointRequest checkpoint;
  checkpoint.set_job_id(id);
  v1::NotifyCheckpointResponse noted;
  const absl::Status told = User().Call(&Stub::NotifyCheckpoint, checkpoint, &noted);
  ASSERT_TRUE(told.ok()) << told;
  EXPECT_GT(noted.job().checkpoint_at_us(), 0);
  v1::RequeueJobRequest requeue;
  requeue.set_job_id(id);
  requeue.set_reason("new data");
  v1::RequeueJobResponse response;
  const absl::Status status = User().Call(&Stub::RequeueJob, requeue, &response);
  ASSERT_TRUE(status.ok()) << status;
  agent_.ReadUntil(v1::SchedulerMessage::kKill);
  agent_.Tell(first, v1::REPORT_KIND_KILLED);
  EXPECT_EQ(agent_.TakeAssignment().attempt(), 1);
  v1::GetJobRequest get;
  get.set_job_id(id);
  get.set_all_attempts(true);
  v1::GetJobResponse job;
  ASSERT_TRUE(User().Call(&Stub::GetJob, get, &job).ok());
  ASSERT_EQ(job.job().attempts_size(), 1);
  EXPECT_GT(job.job().attempts(0).checkpoint_at_us(), 0);
}

TEST_F(Planning, ABookingIsPreviewedMadeListedAndEnded) {
  v1::AddBookingRequest window = Window();
  v1::AddBookingResponse added;
  EXPECT_EQ(User().Call(&Stub::AddBooking, window, &added).code(),
            absl::StatusCode::kPermissionDenied);
  window.set_dry_run(true);
  server_.Must(&Stub::AddBooking, window, &added);
  EXPECT_EQ(added.booking().id(), 0u);
  EXPECT_GT(added.effects_size(), 0);
  v1::ListBookingsResponse list;
  server_.Must(&Stub::ListBookings, v1::ListBookingsRequest(), &list);
  EXPECT_EQ(list.bookings_size(), 0);
  window.set_dry_run(false);
  server_.Must(&Stub::AddBooking, window, &added);
  EXPECT_EQ(added.booking().nodes(0), "n1");
  server_.Restart();
  ASSERT_TRUE(User().Call(&Stub::ListBookings, v1::ListBookingsRequest(), &list).ok());
  ASSERT_EQ(list.bookings_size(), 1);
  EXPECT_EQ(list.bookings(0).reason(), "leaf L1");
  v1::EndBookingRequest end;
  end.set_id(list.bookings(0).id());
  v1::EndBookingResponse ended;
  server_.Must(&Stub::EndBooking, end, &ended);
  EXPECT_TRUE(ended.booking().ended());
  EXPECT_EQ(server_.Operator().Call(&Stub::EndBooking, end, &ended).code(),
            absl::StatusCode::kNotFound);
}

TEST_F(Planning, ReservationsOfOthersAreNotListed) {
  v1::AddBookingRequest request = Window();
  request.set_kind(v1::BOOKING_KIND_RESERVATION);
  request.set_tenant("acme");
  v1::AddBookingResponse added;
  server_.Must(&Stub::AddBooking, request, &added);
  v1::ListBookingsResponse list;
  ASSERT_TRUE(User().Call(&Stub::ListBookings, v1::ListBookingsRequest(), &list).ok());
  EXPECT_EQ(list.bookings_size(), 1);
  ASSERT_TRUE(Stranger().Call(&Stub::ListBookings, v1::ListBookingsRequest(), &list).ok());
  EXPECT_EQ(list.bookings_size(), 0);
}

TEST_F(Planning, ADatedQuotaIsShownAndSurvivesARestart) {
  v1::SetQuotaRequest set;
  set.set_tenant("acme");
  set.set_device_class("sim");
  set.mutable_limits()->set_entitlement(4);
  set.set_effective_at_us(In(absl::Hours(1)));
  v1::SetQuotaResponse response;
  server_.Must(&Stub::SetQuota, set, &response);
  server_.Restart();
  v1::GetQuotaResponse quota;
  ASSERT_TRUE(User().Call(&Stub::GetQuota, v1::GetQuotaRequest(), &quota).ok());
  EXPECT_EQ(quota.rows(0).limits().entitlement(), 8);
  ASSERT_EQ(quota.edits_size(), 1);
  EXPECT_EQ(quota.edits(0).limits().entitlement(), 4);
  EXPECT_EQ(quota.edits(0).effective_at_us(), set.effective_at_us());
  set.set_effective_at_us(In(absl::Hours(2)));
  server_.Must(&Stub::SetQuota, set, &response);
  ASSERT_EQ(response.effects_size(), 2);
  EXPECT_EQ(response.effects(1).find("replaces the edit that was to come at "), 0u);
  ASSERT_TRUE(Stranger().Call(&Stub::GetQuota, v1::GetQuotaRequest(), &quota).ok());
  EXPECT_EQ(quota.edits_size(), 0);
}

TEST_F(Planning, TheQueueOfATenantIsKept) {
  v1::SetTenantQueueRequest request;
  request.set_tenant("acme");
  request.set_queue(v1::QUEUE_PRESET_STEPPED);
  request.set_stepped_timeout_ms(120 * 1000);
  v1::SetTenantQueueResponse response;
  server_.Must(&Stub::SetTenantQueue, request, &response);
  server_.Restart();
  v1::ListTenantsResponse tenants;
  ASSERT_TRUE(User().Call(&Stub::ListTenants, v1::ListTenantsRequest(), &tenants).ok());
  ASSERT_EQ(tenants.tenants_size(), 1);
  EXPECT_EQ(tenants.tenants(0).queue(), v1::QUEUE_PRESET_STEPPED);
  EXPECT_EQ(tenants.tenants(0).stepped_timeout_ms(), 120 * 1000);
}

TEST_F(Planning, ExplainsAJobThatWaitsRunsAndEnded) {
  const uint64_t running = *User().Submit(JobOf(1, 8, "running"));
  const v1::Assignment assignment = agent_.TakeAssignment();
  agent_.Tell(assignment, v1::REPORT_KIND_STARTED);
  const uint64_t waiting = *User().Submit(JobOf(1, 8, "waiting"));
  const auto waits = ExplainJob(User(), waiting);
  ASSERT_TRUE(waits.ok()) << waits.status();
  EXPECT_EQ(waits->verdict(), v1::Explanation::VERDICT_WAITS);
  ASSERT_GT(waits->blockers_size(), 0);
  EXPECT_EQ(waits->blockers(0).code()[0], 'B');
  EXPECT_GT(waits->start_latest_us(), 0);
  EXPECT_EQ(waits->job().name(), "waiting");
  EXPECT_EQ(ExplainJob(User(), running)->verdict(), v1::Explanation::VERDICT_RUNS);
  EXPECT_EQ(ExplainJob(Stranger(), waiting).status().code(), absl::StatusCode::kNotFound);
  agent_.Tell(assignment, v1::REPORT_KIND_EXITED);
  User().Wait(running, v1::WaitJobRequest::UNTIL_ENDED);
  const auto ended = ExplainJob(User(), running);
  EXPECT_EQ(ended->verdict(), v1::Explanation::VERDICT_ENDED);
  EXPECT_EQ(ended->job().state(), v1::JOB_STATE_SUCCEEDED);
}

TEST_F(Planning, AChangeIsTriedOnACopy) {
  const uint64_t held = *User().Submit(JobOf(1, 8, "first"));
  agent_.TakeAssignment();
  const uint64_t waiting = *User().Submit(JobOf(1, 8, "waiting"));
  v1::ExplainJobRequest request;
  request.set_job_id(waiting);
  request.mutable_what_if()->set_devices_per_node(0);
  const auto none = Explain(User(), request);
  ASSERT_TRUE(none.ok()) << none.status();
  EXPECT_EQ(none->verdict(), v1::Explanation::VERDICT_STARTS_NOW);
  EXPECT_EQ(ExplainJob(User(), waiting)->verdict(), v1::Explanation::VERDICT_WAITS);
  EXPECT_EQ(Explain(Stranger(), request).status().code(), absl::StatusCode::kNotFound);
  request.mutable_what_if()->set_devices_per_node(-1);
  EXPECT_EQ(Explain(User(), request).status().code(), absl::StatusCode::kInvalidArgument);
  request.mutable_what_if()->set_devices_per_node(4);
  request.set_job_id(held);
  EXPECT_FALSE(Explain(User(), request).ok());
}

// Rule: what the submission would be refused for, plan and dry run are refused for.
TEST_F(Planning, AnUploadThatIsGoneIsSaidBeforeTheSubmission) {
  v1::SubmitJobRequest request = JobOf(1, 1, "again");
  request.mutable_spec()->set_workdir_sha256(std::string(32, 'x'));
  const absl::Status refused = User().Submit(request).status();
  ASSERT_TRUE(FindDetail(refused).has_value()) << refused;
  EXPECT_EQ(FindDetail(refused)->code, "B4008");
  EXPECT_EQ(Plan(User(), request).status(), refused);
  request.set_dry_run(true);
  EXPECT_EQ(User().Submit(request).status(), refused);
}

TEST_F(Planning, APlanSaysWhatWouldHappenAndChangesNothing) {
  const auto now = Plan(User(), JobOf(1, 8));
  ASSERT_TRUE(now.ok()) << now.status();
  EXPECT_EQ(now->verdict(), v1::Explanation::VERDICT_STARTS_NOW);
  EXPECT_EQ(now->gang().devices_per_node(), 8);
  const auto never = Plan(User(), JobOf(1, 9));
  ASSERT_FALSE(never.ok());
  EXPECT_TRUE(FindDetail(never.status())->refused_by_entitlement);
  const uint64_t real = *User().Submit(JobOf(1, 8));
  agent_.TakeAssignment();
  EXPECT_EQ(Plan(User(), JobOf(1, 8))->verdict(), v1::Explanation::VERDICT_WAITS);
  v1::ListJobsResponse jobs;
  ASSERT_TRUE(User().Call(&Stub::ListJobs, v1::ListJobsRequest(), &jobs).ok());
  ASSERT_EQ(jobs.jobs_size(), 1);
  EXPECT_EQ(jobs.jobs(0).id(), real);
}

}  // namespace
}  // namespace berth
