// Jobs with agents, played by hand, over real streams.

#include <cstdint>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include <gtest/gtest.h>

#include "tests/testing/running_server.h"
#include "tests/testing/scripted_agent.h"

namespace berth {
namespace {

using Stub = TestClient::Stub;

class Agents : public ::testing::Test {
 protected:
  Agents() {
    server_.AddTenant("acme");
    server_.SetQuota("acme", "sim", 16);
    user_token_ = server_.AddUser("acme", "ada", v1::ROLE_MEMBER);
    token_1_ = server_.AddNodeToken("n1");
    token_2_ = server_.AddNodeToken("n2");
  }
  TestClient User() { return server_.Client(user_token_); }
  ScriptedAgent Agent1() { return {server_.address(), "n1", token_1_}; }
  ScriptedAgent Agent2() { return {server_.address(), "n2", token_2_}; }

  v1::HelloRefused Refusal(const v1::Hello& hello) {
    ScriptedAgent agent(server_.address(), "n1", token_1_);
    agent.SayHello(hello);
    const v1::SchedulerMessage answer = agent.ReadUntil(v1::SchedulerMessage::kHelloRefused);
    EXPECT_EQ(agent.ReadToEnd().error_code(), grpc::StatusCode::FAILED_PRECONDITION);
    return answer.hello_refused();
  }

  RunningServer server_;
  std::string user_token_;
  std::string token_1_;
  std::string token_2_;
};

TEST_F(Agents, RunAJobToItsEnd) {
  ScriptedAgent agent = Agent1();
  agent.Join();
  v1::SubmitJobRequest request = JobOf(1, 2, "train");
  (*request.mutable_spec()->mutable_environment())["A"] = "b";
  const uint64_t id = *User().Submit(request);

  const v1::Assignment assignment = agent.TakeAssignment();
  EXPECT_EQ(assignment.job_id(), id);
  EXPECT_EQ(assignment.devices_size(), 2);
  EXPECT_EQ(assignment.devices(0).device_class(), "sim");
  EXPECT_TRUE(assignment.start_at_once());
  EXPECT_EQ(assignment.tenant(), "acme");
  EXPECT_EQ(assignment.user(), "ada");
  v1::JobSpec spec;
  ASSERT_TRUE(spec.ParseFromString(assignment.job_spec()));
  EXPECT_EQ(spec.environment().at("A"), "b");

  agent.Tell(assignment, v1::REPORT_KIND_STARTED);
  EXPECT_EQ(User().Wait(id, v1::WaitJobRequest::UNTIL_STARTED).state(), v1::JOB_STATE_RUNNING);
  agent.Beat();
  EXPECT_EQ(agent.ReadUntil(v1::SchedulerMessage::kHeartbeatAck).heartbeat_ack().heartbeat_seq(),
            1u);
  v1::Report report = agent.MakeReport(assignment, v1::REPORT_KIND_EXITED);
  report.set_exit_code(3);
  report.set_message("evil \x1b[31mtext");
  agent.Tell(report);

  const v1::Job job = User().Wait(id, v1::WaitJobRequest::UNTIL_ENDED);
  EXPECT_EQ(job.state(), v1::JOB_STATE_FAILED);
  EXPECT_EQ(job.end().reason(), v1::END_REASON_EXIT);
  EXPECT_EQ(job.end().exit_code(), 3);
  EXPECT_EQ(job.end().message().find('\x1b'), std::string::npos);
  ASSERT_EQ(job.allocations_size(), 1);
  EXPECT_EQ(job.allocations(0).node(), "n1");
  EXPECT_EQ(job.allocations(0).devices(0).uuid(), "n1-0");
  EXPECT_GT(job.allocations(0).released_at_us(), job.allocations(0).reserved_at_us());
  EXPECT_EQ(job.allocations(0).release_evidence(), "reported");
}

TEST_F(Agents, StartAGangOnlyWhenAllArePrepared) {
  ScriptedAgent first = Agent1();
  ScriptedAgent second = Agent2();
  first.Join();
  second.Join();
  const uint64_t id = *User().Submit(JobOf(2, 8));
  const v1::Assignment a = first.TakeAssignment();
  const v1::Assignment b = second.TakeAssignment();
  EXPECT_FALSE(a.start_at_once());
  EXPECT_EQ(a.node_count(), 2);
  EXPECT_EQ(a.rank() + b.rank(), 1);

  ScriptedAgent& rank_0 = a.rank() == 0 ? first : second;
  ScriptedAgent& rank_1 = a.rank() == 0 ? second : first;
  const v1::Assignment& task_0 = a.rank() == 0 ? a : b;
  const v1::Assignment& task_1 = a.rank() == 0 ? b : a;
  v1::Report prepared = rank_0.MakeReport(task_0, v1::REPORT_KIND_PREPARED);
  prepared.set_rendezvous_address("127.0.0.1");
  prepared.set_rendezvous_port(23456);
  rank_0.Tell(prepared);
  EXPECT_EQ(User().GetJob(id)->state(), v1::JOB_STATE_DISPATCHING);
  rank_1.Tell(task_1, v1::REPORT_KIND_PREPARED);
  const v1::Start start = rank_1.ReadUntil(v1::SchedulerMessage::kStart).start();
  EXPECT_EQ(start.rendezvous_port(), 23456);
  ASSERT_EQ(start.members_size(), 2);
  EXPECT_EQ(start.members(0).node(), rank_0.node());
  EXPECT_EQ(start.members(1).devices(), 8);
  rank_0.ReadUntil(v1::SchedulerMessage::kStart);
  rank_0.Tell(task_0, v1::REPORT_KIND_STARTED);
  rank_1.Tell(task_1, v1::REPORT_KIND_STARTED);
  EXPECT_EQ(User().Wait(id, v1::WaitJobRequest::UNTIL_STARTED).state(), v1::JOB_STATE_RUNNING);

  rank_0.Tell(task_0, v1::REPORT_KIND_EXITED);
  rank_1.Tell(task_1, v1::REPORT_KIND_EXITED);
  EXPECT_EQ(User().Wait(id, v1::WaitJobRequest::UNTIL_ENDED).state(), v1::JOB_STATE_SUCCEEDED);
}

TEST_F(Agents, CancelKillsAndWaitsForTheReport) {
  ScriptedAgent agent = Agent1();
  agent.Join();
  const uint64_t id = *User().Submit(JobOf(1, 1));
  const v1::Assignment assignment = agent.TakeAssignment();
  agent.Tell(assignment, v1::REPORT_KIND_STARTED);
  v1::CancelJobRequest request;
  request.set_job_id(id);
  v1::CancelJobResponse response;
  ASSERT_TRUE(User().Call(&Stub::CancelJob, request, &response).ok());
  EXPECT_EQ(response.job().state(), v1::JOB_STATE_STOPPING);
  const v1::Kill kill = agent.ReadUntil(v1::SchedulerMessage::kKill).kill();
  EXPECT_EQ(kill.allocation_id(), assignment.allocation_id());
  EXPECT_EQ(kill.reason(), v1::STOP_REASON_CANCELLED);
  EXPECT_EQ(User().GetJob(id)->state(), v1::JOB_STATE_STOPPING);
  v1::Report report = agent.MakeReport(assignment, v1::REPORT_KIND_KILLED);
  report.set_signal(15);
  report.set_stop_reason(v1::STOP_REASON_CANCELLED);
  agent.Tell(report);
  EXPECT_EQ(User().Wait(id, v1::WaitJobRequest::UNTIL_ENDED).state(), v1::JOB_STATE_CANCELLED);
}

TEST_F(Agents, OutliveARestartOfTheScheduler) {
  ScriptedAgent agent = Agent1();
  agent.Join();
  const uint64_t id = *User().Submit(JobOf(1, 1));
  const v1::Assignment assignment = agent.TakeAssignment();
  agent.Tell(assignment, v1::REPORT_KIND_STARTED);

  server_.Stop();
  EXPECT_NE(agent.ReadToEnd().error_code(), grpc::StatusCode::OK);
  server_.Start();
  EXPECT_EQ(User().GetJob(id)->state(), v1::JOB_STATE_RUNNING);
  agent.Connect();
  agent.Join();
  agent.Beat();
  agent.ReadUntil(v1::SchedulerMessage::kHeartbeatAck);
  EXPECT_EQ(User().GetJob(id)->state(), v1::JOB_STATE_RUNNING);
  agent.Tell(assignment, v1::REPORT_KIND_EXITED);
  const v1::Job job = User().Wait(id, v1::WaitJobRequest::UNTIL_ENDED);
  EXPECT_EQ(job.state(), v1::JOB_STATE_SUCCEEDED);
  EXPECT_EQ(job.attempt(), 0);
}

TEST_F(Agents, ANewerSessionEndsTheOlder) {
  ScriptedAgent old = Agent1();
  old.Join();
  ScriptedAgent young = Agent1();
  young.Join();
  EXPECT_EQ(old.ReadToEnd().error_code(), grpc::StatusCode::UNAVAILABLE);
  young.Beat();
  young.ReadUntil(v1::SchedulerMessage::kHeartbeatAck);
}

TEST_F(Agents, AreRefusedUnderAnotherName) {
  v1::Hello hello = Agent1().MakeHello();
  hello.set_node("n2");
  EXPECT_EQ(Refusal(hello).why(), v1::HelloRefused::WHY_IDENTITY);
}

TEST_F(Agents, AreRefusedWithAnUnknownProtocol) {
  v1::Hello hello = Agent1().MakeHello();
  hello.set_protocol_min(2);
  hello.set_protocol_max(3);
  EXPECT_EQ(Refusal(hello).why(), v1::HelloRefused::WHY_VERSION);
}

// A scheduler from an old backup must not command agents that obeyed a newer one; and an agent
// cannot poison the epoch.
TEST_F(Agents, AreRefusedByASchedulerThatIsBehind) {
  v1::Hello hello = Agent1().MakeHello();
  hello.set_sched_epoch_max(uint64_t{1} << 63);
  EXPECT_EQ(Refusal(hello).why(), v1::HelloRefused::WHY_EPOCH_BEHIND);
  ScriptedAgent agent = Agent1();
  agent.Join();
}

TEST_F(Agents, AreRefusedWithAnImpossibleInventory) {
  v1::Hello hello = Agent1().MakeHello();
  hello.mutable_facts()->mutable_devices(1)->set_uuid("n1-0");
  EXPECT_EQ(Refusal(hello).why(), v1::HelloRefused::WHY_INVENTORY);
  hello = Agent1().MakeHello();
  hello.mutable_facts()->mutable_devices(0)->set_device_class("Bad Class\n");
  EXPECT_EQ(Refusal(hello).why(), v1::HelloRefused::WHY_INVENTORY);
}

TEST_F(Agents, MustSayHelloFirst) {
  ScriptedAgent agent = Agent1();
  agent.Beat();
  EXPECT_EQ(agent.ReadToEnd().error_code(), grpc::StatusCode::FAILED_PRECONDITION);
}

TEST_F(Agents, CannotReportForAnotherNode) {
  ScriptedAgent first = Agent1();
  first.Join();
  const uint64_t id = *User().Submit(JobOf(1, 1));
  const v1::Assignment assignment = first.TakeAssignment();
  first.Tell(assignment, v1::REPORT_KIND_STARTED);
  ScriptedAgent second = Agent2();
  second.Join();
  second.Tell(assignment, v1::REPORT_KIND_EXITED);
  EXPECT_EQ(User().GetJob(id)->state(), v1::JOB_STATE_RUNNING);
}

TEST_F(Agents, LoseTheirSessionWithTheirToken) {
  ScriptedAgent agent = Agent1();
  agent.Join();
  v1::ListTokensResponse tokens;
  server_.Must(&Stub::ListTokens, v1::ListTokensRequest(), &tokens);
  for (const v1::Token& token : tokens.tokens()) {
    if (token.user() == "n1") {
      v1::RevokeTokenRequest request;
      request.set_id(token.id());
      v1::RevokeTokenResponse response;
      server_.Must(&Stub::RevokeToken, request, &response);
    }
  }
  EXPECT_EQ(agent.ReadToEnd().error_code(), grpc::StatusCode::UNAUTHENTICATED);
}

TEST_F(Agents, ADrainedNodeGetsNothingNew) {
  ScriptedAgent agent = Agent1();
  agent.Join();
  v1::DrainNodeRequest drain;
  drain.set_name("n1");
  drain.set_reason("RMA-118");
  v1::DrainNodeResponse drained;
  server_.Must(&Stub::DrainNode, drain, &drained);
  EXPECT_EQ(drained.node().state(), v1::NODE_STATE_DRAINED);
  EXPECT_EQ(drained.node().state_detail(), "RMA-118");
  const uint64_t id = *User().Submit(JobOf(1, 1));
  EXPECT_EQ(User().GetJob(id)->state(), v1::JOB_STATE_QUEUED);
  v1::UndrainNodeRequest undrain;
  undrain.set_name("n1");
  v1::UndrainNodeResponse undrained;
  server_.Must(&Stub::UndrainNode, undrain, &undrained);
  EXPECT_EQ(agent.TakeAssignment().job_id(), id);
}

// Its connection only stood still: what it holds was given away meanwhile, so it must tell all
// again.
TEST_F(Agents, ALostNodeIsBackAfterAHelloOnly) {
  ScriptedAgent agent = Agent1();
  agent.Join();
  const auto state = [this] {
    v1::ListNodesResponse nodes;
    server_.Must(&Stub::ListNodes, v1::ListNodesRequest(), &nodes);
    return nodes.nodes(0).state();
  };
  EXPECT_EQ(state(), v1::NODE_STATE_READY);
  server_.clock().Advance(server_.options().policy.suspect_after + absl::Seconds(1));
  while (state() != v1::NODE_STATE_SUSPECT) {
  }
  server_.clock().Advance(server_.options().policy.lost_after);
  while (state() != v1::NODE_STATE_LOST) {
  }
  agent.Beat();
  agent.ReadToEnd();
  agent.Connect();
  agent.Join();
  EXPECT_EQ(state(), v1::NODE_STATE_READY);
}

}  // namespace
}  // namespace berth
