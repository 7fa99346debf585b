// What devices are busy with: from a heartbeat to those who may know it, and to nobody else.

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include <gtest/gtest.h>

#include "tests/testing/running_server.h"
#include "tests/testing/scripted_agent.h"

namespace berth {
namespace {

using Stub = TestClient::Stub;

// A node of 8 devices of which a job of acme has 0 and 1, one of rival 2 and 3.
class Utilization : public ::testing::Test {
 protected:
  Utilization() {
    for (const char* tenant : {"acme", "rival"}) {
      server_.AddTenant(tenant);
      server_.SetQuota(tenant, "sim", 4);
    }
    member_ = server_.AddUser("acme", "ada", v1::ROLE_MEMBER);
    rival_ = server_.AddUser("rival", "rob", v1::ROLE_MEMBER);
    node_token_ = server_.AddNodeToken("n1");
  }

  void StartJobs(ScriptedAgent& agent) {
    agent.Join();
    for (const auto& [token, job] : {
             std::pair{member_, &job_      },
             std::pair{rival_,  &rival_job_}
    }) {
      *job = *server_.Client(token).Submit(JobOf(1, 2));
      assignments_.push_back(agent.TakeAssignment());
      agent.Tell(assignments_.back(), v1::REPORT_KIND_STARTED);
    }
  }

  // Device i is busy with i percent, and 5 tells nothing.
  static v1::Heartbeat BusyHeartbeat(int64_t age_ms) {
    v1::Heartbeat heartbeat;
    for (const int index : {0, 1, 2, 3, 4, 6, 7}) {
      v1::DeviceSample& sample = *heartbeat.add_samples();
      sample.set_index(index);
      sample.set_utilization_percent(index);
      sample.set_power_watts(100);
    }
    heartbeat.set_samples_age_ms(age_ms);
    return heartbeat;
  }

  // Told, and known when this returns.
  void Tell(ScriptedAgent& agent, v1::Heartbeat heartbeat) {
    heartbeat.set_heartbeat_seq(++heartbeat_seq_);
    for (const v1::Assignment& assignment : assignments_) {
      v1::RunningTask& task = *heartbeat.add_tasks();
      task.set_allocation_id(assignment.allocation_id());
      task.set_job_id(assignment.job_id());
      task.set_state(v1::TASK_STATE_RUNNING);
      task.set_assign_seq(assignment.assign_seq());
      heartbeat.set_assign_seq_max(assignment.assign_seq());
    }
    v1::AgentMessage message;
    *message.mutable_heartbeat() = std::move(heartbeat);
    agent.Write(message);
    agent.ReadUntil(v1::SchedulerMessage::kHeartbeatAck);
  }

  v1::Job JobAs(const std::string& token, uint64_t id, bool with_samples = true) {
    v1::GetJobRequest request;
    request.set_job_id(id);
    request.set_with_samples(with_samples);
    v1::GetJobResponse response;
    EXPECT_TRUE(server_.Client(token).Call(&Stub::GetJob, request, &response).ok());
    return response.job();
  }
  std::string SamplesOf(const std::string& token, uint64_t id) {
    const v1::Job job = JobAs(token, id);
    return job.allocations_size() == 1 ? TextOf(job.allocations(0)) : "no allocation";
  }
  static std::string TextOf(const v1::Allocation& allocation) {
    std::string text;
    for (const v1::DeviceSample& sample : allocation.samples()) {
      absl::StrAppend(&text, sample.index(), ":", sample.utilization_percent(), " ");
    }
    return text;
  }

  // "0:own:0 " of each device: who has it (job's id, "other" or "free"), and what it is busy with.
  std::string UsesAs(const std::string& token) {
    v1::ListNodesRequest request;
    request.set_name("n1");
    request.set_with_uses(true);
    v1::ListNodesResponse response;
    EXPECT_TRUE(server_.Client(token).Call(&Stub::ListNodes, request, &response).ok());
    std::string text;
    for (const v1::DeviceUse& use : response.nodes(0).uses()) {
      const std::string holder =
          use.jobs().empty() ? use.taken() ? "other" : "free" : absl::StrCat("job", use.jobs(0));
      absl::StrAppend(&text, use.index(), ":", holder, ":",
                      use.has_sample() ? absl::StrCat(use.sample().utilization_percent()) : "-",
                      " ");
    }
    return text;
  }

  RunningServer server_;
  std::string member_;
  std::string rival_;
  std::string node_token_;
  std::vector<v1::Assignment> assignments_;
  uint64_t job_ = 0;
  uint64_t rival_job_ = 0;
  uint64_t heartbeat_seq_ = 0;
};

TEST_F(Utilization, OfAJobIsThatOfItsOwnDevices) {
  ScriptedAgent agent(server_.address(), "n1", node_token_);
  StartJobs(agent);
  EXPECT_EQ(SamplesOf(member_, job_), "");
  Tell(agent, BusyHeartbeat(0));
  EXPECT_EQ(SamplesOf(member_, job_), "0:0 1:1 ");
  EXPECT_EQ(SamplesOf(rival_, rival_job_), "2:2 3:3 ");
  EXPECT_EQ(SamplesOf(server_.OperatorToken(), rival_job_), "2:2 3:3 ");
  EXPECT_EQ(JobAs(member_, job_, false).allocations(0).samples_size(), 0);

  v1::ListJobsRequest list;
  list.set_with_samples(true);
  v1::ListJobsResponse jobs;
  ASSERT_TRUE(server_.Client(member_).Call(&Stub::ListJobs, list, &jobs).ok());
  ASSERT_EQ(jobs.jobs_size(), 1);
  EXPECT_EQ(TextOf(jobs.jobs(0).allocations(0)), "0:0 1:1 ");
  // A heartbeat without news changes nothing.
  Tell(agent, v1::Heartbeat());
  EXPECT_EQ(SamplesOf(member_, job_), "0:0 1:1 ");
}

TEST_F(Utilization, OfANodeIsForOperatorsAndOfOwnDevicesForMembers) {
  ScriptedAgent agent(server_.address(), "n1", node_token_);
  StartJobs(agent);
  Tell(agent, BusyHeartbeat(0));
  const std::string free = "4:free:4 5:free:- 6:free:6 7:free:7 ";
  const std::string hidden = "4:free:- 5:free:- 6:free:- 7:free:- ";
  EXPECT_EQ(UsesAs(server_.OperatorToken()),
            absl::StrCat("0:job", job_, ":0 1:job", job_, ":1 2:job", rival_job_, ":2 3:job",
                         rival_job_, ":3 ", free));
  EXPECT_EQ(UsesAs(member_),
            absl::StrCat("0:job", job_, ":0 1:job", job_, ":1 2:other:- 3:other:- ", hidden));
  EXPECT_EQ(UsesAs(rival_), absl::StrCat("0:other:- 1:other:- 2:job", rival_job_, ":2 3:job",
                                         rival_job_, ":3 ", hidden));
}

TEST_F(Utilization, WhatWasSeenBeforeAJobHadItsDevicesIsNotTheJobs) {
  ScriptedAgent agent(server_.address(), "n1", node_token_);
  StartJobs(agent);
  Tell(agent, BusyHeartbeat(absl::ToInt64Milliseconds(absl::Seconds(10))));
  EXPECT_EQ(SamplesOf(member_, job_), "");
  EXPECT_NE(UsesAs(server_.OperatorToken()).find("3:job2:- 4:free:4"), std::string::npos)
      << UsesAs(server_.OperatorToken());
}

TEST_F(Utilization, IsNotKnownAnyMoreWhenNothingNewComes) {
  ScriptedAgent agent(server_.address(), "n1", node_token_);
  StartJobs(agent);
  Tell(agent, BusyHeartbeat(0));
  server_.clock().Advance(absl::Seconds(15));
  EXPECT_EQ(SamplesOf(member_, job_), "0:0 1:1 ");
  server_.clock().Advance(absl::Seconds(10));
  EXPECT_EQ(SamplesOf(member_, job_), "");
  EXPECT_EQ(UsesAs(server_.OperatorToken()).find("4:free:4"), std::string::npos);
}

TEST_F(Utilization, WhatCannotBeEndsTheSession) {
  v1::Heartbeat wrong = BusyHeartbeat(0);
  wrong.mutable_samples(2)->set_utilization_percent(101);
  v1::AgentMessage message;
  *message.mutable_heartbeat() = wrong;
  ScriptedAgent agent(server_.address(), "n1", node_token_);
  agent.Join();
  agent.Write(message);
  EXPECT_EQ(agent.ReadToEnd().error_code(), grpc::StatusCode::INVALID_ARGUMENT);
}

}  // namespace
}  // namespace berth
