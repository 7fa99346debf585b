// The token that a job of many nodes has of its own, over real streams.

#include <cstdint>
#include <fstream>
#include <memory>
#include <string>

#include <gtest/gtest.h>

#include "common/error_detail.h"
#include "tests/testing/running_server.h"
#include "tests/testing/scripted_agent.h"

namespace berth {
namespace {

using Stub = TestClient::Stub;

std::string CodeOf(const absl::Status& status) {
  const auto detail = FindDetail(status);
  return detail.has_value() ? detail->code : "";
}

// A running gang of two nodes, and another job of the same user.
class JobToken : public ::testing::Test {
 protected:
  JobToken() {
    server_.AddTenant("acme");
    server_.SetQuota("acme", "sim", 16);
    user_token_ = server_.AddUser("acme", "ada", v1::ROLE_MEMBER);
    for (size_t i = 0; i < 2; ++i) {
      const std::string node = i == 0 ? "n1" : "n2";
      agents_[i] =
          std::make_unique<ScriptedAgent>(server_.address(), node, server_.AddNodeToken(node));
      agents_[i]->Join();
    }
    v1::SubmitJobRequest held = JobOf(1, 1);
    held.mutable_spec()->set_hold(true);
    other_ = *User().Submit(held);
    job_ = *User().Submit(JobOf(2, 8));
    for (size_t i = 0; i < 2; ++i) {
      tasks_[i] = agents_[i]->TakeAssignment();
      token_ = agents_[i]->job_token();
    }
    for (const v1::ReportKind kind : {v1::REPORT_KIND_PREPARED, v1::REPORT_KIND_STARTED}) {
      TellAll(kind);
    }
    User().Wait(job_, v1::WaitJobRequest::UNTIL_STARTED);
  }

  TestClient User() { return server_.Client(user_token_); }
  void TellAll(v1::ReportKind kind) {
    for (size_t i = 0; i < 2; ++i) {
      agents_[i]->Tell(tasks_[i], kind);
    }
  }
  template <typename Request, typename Response>
  std::string Try(grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*),
                  const Request& request) {
    Response response;
    return CodeOf(server_.Client(token_).Call(method, request, &response));
  }
  std::string TryList(uint64_t job) {
    v1::ListAllocationsRequest request;
    request.set_job_id(job);
    return Try(&Stub::ListAllocations, request);
  }

  // A way in that somebody has asked for with the job's token.
  struct Entry {
    std::unique_ptr<TestClient> client;
    grpc::ClientContext context;
    std::unique_ptr<grpc::ClientReaderWriter<v1::ChannelInput, v1::ChannelOutput>> stream;

    std::string End() {
      v1::ChannelOutput output;
      EXPECT_FALSE(stream->Read(&output));
      return CodeOf(FromGrpcStatus(stream->Finish(), context));
    }
  };
  std::unique_ptr<Entry> Enter(uint64_t job) {
    auto entry = std::make_unique<Entry>();
    entry->client = std::make_unique<TestClient>(server_.address(), token_);
    entry->client->Prepare(entry->context);
    entry->stream = entry->client->stub().EnterJob(&entry->context);
    v1::ChannelInput enter;
    enter.mutable_enter()->set_job_id(job);
    enter.mutable_enter()->mutable_command()->add_argv("true");
    entry->stream->Write(enter);
    return entry;
  }
  ScriptedAgent& Rank0() { return *agents_[tasks_[0].rank() == 0 ? 0 : 1]; }

  RunningServer server_;
  std::string user_token_;
  std::unique_ptr<ScriptedAgent> agents_[2];
  uint64_t other_ = 0;
  uint64_t job_ = 0;
  v1::Assignment tasks_[2];
  std::string token_;
};

TEST_F(JobToken, DoesNothingButEnterAndListItsOwnJob) {
  EXPECT_EQ(TryList(job_), "");
  EXPECT_EQ(TryList(other_), "B7210");
  EXPECT_EQ(TryList(0), "B7210");
  EXPECT_EQ(Enter(other_)->End(), "B7210");
  EXPECT_EQ(Try(&Stub::SubmitJob, JobOf(1, 1)), "B7210");
  v1::CancelJobRequest cancel;
  cancel.set_job_id(job_);
  EXPECT_EQ(Try(&Stub::CancelJob, cancel), "B7210");
  v1::GetJobRequest get;
  get.set_job_id(job_);
  EXPECT_EQ(Try(&Stub::GetJob, get), "B7210");
  EXPECT_EQ(Try(&Stub::ListJobs, v1::ListJobsRequest()), "B7210");
  EXPECT_EQ(Try(&Stub::CreateToken, v1::CreateTokenRequest()), "B7210");
  EXPECT_EQ(Try(&Stub::WhoAmI, v1::WhoAmIRequest()), "B7210");
  ScriptedAgent agent(server_.address(), "n1", token_);
  EXPECT_EQ(agent.ReadToEnd().error_code(), grpc::StatusCode::PERMISSION_DENIED);
}

TEST_F(JobToken, EndsWithItsAttemptAndWithItWhatItHasOpen) {
  const auto entry = Enter(job_);
  const v1::OpenChannel open = Rank0().ReadUntil(v1::SchedulerMessage::kOpenChannel).open_channel();
  EXPECT_EQ(open.request().job_id(), job_);
  TellAll(v1::REPORT_KIND_EXITED);
  EXPECT_EQ(entry->End(), "B7103");
  EXPECT_EQ(TryList(job_), "B7103");
  EXPECT_EQ(Enter(job_)->End(), "B7103");
}

TEST_F(JobToken, OutlivesTheScheduler) {
  server_.Restart();
  EXPECT_EQ(TryList(job_), "");
  EXPECT_EQ(TryList(other_), "B7210");
}

TEST_F(JobToken, AJobOfOneNodeHasNone) {
  TellAll(v1::REPORT_KIND_EXITED);
  for (int job = 0; job < 2; ++job) {
    ASSERT_TRUE(User().Submit(JobOf(1, 8)).ok());
  }
  for (const auto& agent : agents_) {
    EXPECT_TRUE(agent->TakeAssignment().start_at_once());
    EXPECT_EQ(agent->job_token(), "");
  }
}

// Rule: without the key, or with one that is not kept secret, nothing of it is trusted.
TEST_F(JobToken, FollowsFromAKeyThatIsTheSchedulersAlone) {
  const std::string path = server_.options().data_dir + "/job-tokens.key";
  struct stat facts {};
  ASSERT_EQ(stat(path.c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 07777, 0600u);
  server_.Stop();
  chmod(path.c_str(), 0644);
  EXPECT_EQ(CodeOf(Server::Start(server_.options(), server_.clock()).status()), "B8009");
  chmod(path.c_str(), 0600);
  std::ofstream(path) << "brth_";
  EXPECT_EQ(CodeOf(Server::Start(server_.options(), server_.clock()).status()), "B8009");
  unlink(path.c_str());
  server_.Start();
  EXPECT_EQ(TryList(job_), "B7103");
}

}  // namespace
}  // namespace berth
