// Logs from an agent's upload to a reader's stream.

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>

#include "absl/strings/str_cat.h"
#include <gtest/gtest.h>

#include "tests/testing/running_server.h"
#include "tests/testing/scripted_agent.h"

namespace berth {
namespace {

using Stub = TestClient::Stub;

// One StreamLogs call.
class LogReader {
 public:
  LogReader(TestClient client, const v1::StreamLogsRequest& request) : client_(std::move(client)) {
    client_.Prepare(context_);
    stream_ = client_.stub().StreamLogs(&context_, request);
  }
  bool Read(v1::StreamLogsResponse* piece) { return stream_->Read(piece); }
  grpc::Status Finish() {
    v1::StreamLogsResponse ignored;
    while (stream_->Read(&ignored)) {
    }
    return stream_->Finish();
  }
  void Cancel() { context_.TryCancel(); }

 private:
  TestClient client_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReader<v1::StreamLogsResponse>> stream_;
};

// An agent's LogUpload call.
class LogWriter {
 public:
  explicit LogWriter(ScriptedAgent& agent) {
    agent.Prepare(context_);
    writer_ = agent.stub().LogUpload(&context_, &response_);
  }
  bool Write(uint64_t request_id, const std::string& data, bool end = false) {
    v1::LogChunk chunk;
    chunk.set_request_id(request_id);
    chunk.set_data(data);
    chunk.set_offset_bytes(offset_);
    chunk.set_end(end);
    offset_ += static_cast<int64_t>(data.size());
    return writer_->Write(chunk);
  }
  bool WriteChunk(const v1::LogChunk& chunk) { return writer_->Write(chunk); }
  bool Fail(uint64_t request_id, const std::string& error) {
    v1::LogChunk chunk;
    chunk.set_request_id(request_id);
    chunk.set_error(error);
    return writer_->Write(chunk);
  }
  grpc::Status Finish() {
    writer_->WritesDone();
    return writer_->Finish();
  }
  void Cancel() { context_.TryCancel(); }

 private:
  grpc::ClientContext context_;
  v1::LogUploadResponse response_;
  std::unique_ptr<grpc::ClientWriter<v1::LogChunk>> writer_;
  int64_t offset_ = 0;
};

class Logs : public ::testing::Test {
 protected:
  Logs() {
    server_.AddTenant("acme");
    server_.SetQuota("acme", "sim", 16);
    user_token_ = server_.AddUser("acme", "ada", v1::ROLE_MEMBER);
    agent_ = std::make_unique<ScriptedAgent>(server_.address(), "n1", server_.AddNodeToken("n1"));
    agent_->Join();
  }
  TestClient User() { return server_.Client(user_token_); }

  uint64_t StartJob() {
    const uint64_t id = *User().Submit(JobOf(1, 1));
    assignment_ = agent_->TakeAssignment();
    agent_->Tell(assignment_, v1::REPORT_KIND_STARTED);
    return id;
  }
  static v1::StreamLogsRequest Follow(uint64_t job_id) {
    v1::StreamLogsRequest request;
    request.set_job_id(job_id);
    request.set_attempt(-1);
    request.set_rank(-1);
    request.set_follow(true);
    request.set_tail_lines(-1);
    return request;
  }
  v1::OpenLog TakeOpenLog() { return agent_->ReadUntil(v1::SchedulerMessage::kOpenLog).open_log(); }
  grpc::StatusCode CodeOf(const v1::StreamLogsRequest& request, const std::string& token) {
    return LogReader(server_.Client(token), request).Finish().error_code();
  }

  RunningServer server_;
  std::string user_token_;
  std::unique_ptr<ScriptedAgent> agent_;
  v1::Assignment assignment_;
};

TEST_F(Logs, TravelFromTheAgentToTheReader) {
  const uint64_t id = StartJob();
  LogReader reader(User(), Follow(id));
  const v1::OpenLog open = TakeOpenLog();
  EXPECT_EQ(open.job_id(), id);
  EXPECT_EQ(open.attempt(), 0);
  EXPECT_EQ(open.rank(), 0);
  EXPECT_EQ(open.allocation_id(), assignment_.allocation_id());
  EXPECT_TRUE(open.follow());
  EXPECT_EQ(open.tail_lines(), -1);
  LogWriter writer(*agent_);
  ASSERT_TRUE(writer.Write(open.request_id(), "loss 2.0\n"));
  v1::StreamLogsResponse piece;
  ASSERT_TRUE(reader.Read(&piece));
  EXPECT_EQ(piece.data(), "loss 2.0\n");
  ASSERT_TRUE(writer.Write(open.request_id(), "loss 1.0\n", true));
  ASSERT_TRUE(reader.Read(&piece));
  EXPECT_EQ(piece.data(), "loss 1.0\n");
  EXPECT_EQ(piece.offset_bytes(), 9);
  EXPECT_TRUE(reader.Finish().ok());
  EXPECT_TRUE(writer.Finish().ok());
}

TEST_F(Logs, ATimeTravelsToTheAgentAndTheLinesTimesBack) {
  const uint64_t id = StartJob();
  v1::StreamLogsRequest request = Follow(id);
  request.set_since_us(1'790'000'000'000'000);
  request.set_with_stamps(true);
  LogReader reader(User(), request);
  const v1::OpenLog open = TakeOpenLog();
  EXPECT_EQ(open.since_us(), request.since_us());
  EXPECT_TRUE(open.with_stamps());
  LogWriter writer(*agent_);
  v1::LogChunk chunk;
  chunk.set_request_id(open.request_id());
  chunk.set_data("late\n");
  chunk.set_offset_bytes(40);
  v1::LogStamp* const stamp = chunk.add_stamps();
  stamp->set_offset_bytes(40);
  stamp->set_at_us(1'790'000'000'000'007);
  ASSERT_TRUE(writer.WriteChunk(chunk));
  v1::StreamLogsResponse piece;
  ASSERT_TRUE(reader.Read(&piece));
  ASSERT_EQ(piece.stamps_size(), 1);
  EXPECT_EQ(piece.stamps(0).offset_bytes(), 40);
  EXPECT_EQ(piece.stamps(0).at_us(), 1'790'000'000'000'007);
  request.set_since_us(-1);
  EXPECT_EQ(CodeOf(request, user_token_), grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(Logs, ComeFromTheNodeOfTheRank) {
  ScriptedAgent second(server_.address(), "n2", server_.AddNodeToken("n2"));
  second.Join();
  v1::SubmitJobRequest request = JobOf(2, 8);
  request.mutable_spec()->set_launch(v1::LAUNCH_MODE_DEVICE);
  const uint64_t id = *User().Submit(request);
  const v1::Assignment a = agent_->TakeAssignment();
  const v1::Assignment b = second.TakeAssignment();
  agent_->Tell(a, v1::REPORT_KIND_PREPARED);
  second.Tell(b, v1::REPORT_KIND_PREPARED);
  agent_->Tell(a, v1::REPORT_KIND_STARTED);
  second.Tell(b, v1::REPORT_KIND_STARTED);
  User().Wait(id, v1::WaitJobRequest::UNTIL_STARTED);
  v1::StreamLogsRequest logs = Follow(id);
  logs.set_rank(11);
  LogReader reader(User(), logs);
  ScriptedAgent& owner = a.rank() == 1 ? *agent_ : second;
  const v1::OpenLog open = owner.ReadUntil(v1::SchedulerMessage::kOpenLog).open_log();
  EXPECT_EQ(open.rank(), 11);
  // The other node cannot answer in its place.
  LogWriter impostor(a.rank() == 1 ? second : *agent_);
  impostor.Write(open.request_id(), "forged\n", true);
  EXPECT_EQ(impostor.Finish().error_code(), grpc::StatusCode::NOT_FOUND);
  LogWriter writer(owner);
  ASSERT_TRUE(writer.Write(open.request_id(), "rank 11\n", true));
  v1::StreamLogsResponse piece;
  ASSERT_TRUE(reader.Read(&piece));
  EXPECT_EQ(piece.data(), "rank 11\n");
  EXPECT_EQ(piece.rank(), 11);
  EXPECT_TRUE(reader.Finish().ok());

  logs.set_rank(16);
  EXPECT_EQ(CodeOf(logs, user_token_), grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(Logs, AFollowerWaitsForTheStart) {
  ScriptedAgent* agent = agent_.get();
  v1::SubmitJobRequest request = JobOf(1, 1);
  request.mutable_spec()->set_hold(true);
  const uint64_t id = *User().Submit(request);
  v1::StreamLogsRequest once = Follow(id);
  once.set_follow(false);
  EXPECT_EQ(CodeOf(once, user_token_), grpc::StatusCode::FAILED_PRECONDITION);
  LogReader reader(User(), Follow(id));
  v1::ReleaseJobRequest release;
  release.set_job_id(id);
  v1::ReleaseJobResponse released;
  ASSERT_TRUE(User().Call(&Stub::ReleaseJob, release, &released).ok());
  assignment_ = agent->TakeAssignment();
  agent->Tell(assignment_, v1::REPORT_KIND_STARTED);
  const v1::OpenLog open = TakeOpenLog();
  LogWriter writer(*agent);
  ASSERT_TRUE(writer.Write(open.request_id(), "at last\n", true));
  v1::StreamLogsResponse piece;
  ASSERT_TRUE(reader.Read(&piece));
  EXPECT_EQ(piece.data(), "at last\n");
  EXPECT_TRUE(reader.Finish().ok());
}

// A reader that does not read stops the agent from sending, and gets everything when it does.
TEST_F(Logs, AreHeldBackForASlowReader) {
  const uint64_t id = StartJob();
  LogReader reader(User(), Follow(id));
  const v1::OpenLog open = TakeOpenLog();
  LogWriter writer(*agent_);
  const std::string data(256 << 10, 'x');
  constexpr int kChunks = 512;  // 128 MiB: far more than pipe and transport hold
  std::atomic<int> written = 0;
  std::thread writing([&] {
    for (int i = 0; i < kChunks; ++i) {
      if (writer.Write(open.request_id(), data, i + 1 == kChunks)) {
        ++written;
      }
    }
  });
  v1::StreamLogsResponse piece;
  ASSERT_TRUE(reader.Read(&piece));
  // Calls of others go on meanwhile, and the writer comes to a halt.
  TestClient other = User();
  int before = -1;
  while (before != written) {
    before = written;
    for (int i = 0; i < 100; ++i) {
      ASSERT_TRUE(other.GetJob(id).ok());
    }
  }
  EXPECT_LT(written, kChunks);
  size_t bytes = piece.data().size();
  while (reader.Read(&piece)) {
    EXPECT_EQ(piece.offset_bytes(), static_cast<int64_t>(bytes));
    bytes += piece.data().size();
  }
  writing.join();
  EXPECT_EQ(bytes, data.size() * kChunks);
  EXPECT_TRUE(writer.Finish().ok());
}

TEST_F(Logs, AReaderThatLeavesEndsTheUpload) {
  const uint64_t id = StartJob();
  LogReader reader(User(), Follow(id));
  const v1::OpenLog open = TakeOpenLog();
  LogWriter writer(*agent_);
  ASSERT_TRUE(writer.Write(open.request_id(), "one\n"));
  v1::StreamLogsResponse piece;
  ASSERT_TRUE(reader.Read(&piece));
  reader.Cancel();
  EXPECT_EQ(reader.Finish().error_code(), grpc::StatusCode::CANCELLED);
  while (writer.Write(open.request_id(), "more\n")) {
  }
  EXPECT_EQ(writer.Finish().error_code(), grpc::StatusCode::CANCELLED);
}

TEST_F(Logs, AnAgentThatLeavesIsUnavailable) {
  const uint64_t id = StartJob();
  LogReader reader(User(), Follow(id));
  const v1::OpenLog open = TakeOpenLog();
  LogWriter writer(*agent_);
  ASSERT_TRUE(writer.Write(open.request_id(), "one\n"));
  v1::StreamLogsResponse piece;
  ASSERT_TRUE(reader.Read(&piece));
  writer.Cancel();
  EXPECT_EQ(reader.Finish().error_code(), grpc::StatusCode::UNAVAILABLE);

  agent_->Disconnect();
  // The scheduler notices the end of the stream a moment later: until then the agent is only slow.
  grpc::StatusCode code = grpc::StatusCode::OK;
  for (int i = 0; i < 3 && code != grpc::StatusCode::UNAVAILABLE; ++i) {
    code = CodeOf(Follow(id), user_token_);
  }
  EXPECT_EQ(code, grpc::StatusCode::UNAVAILABLE);
}

TEST_F(Logs, AnotherNodeReadsTheArchiveForOneThatIsAway) {
  const uint64_t id = StartJob();
  agent_->Tell(assignment_, v1::REPORT_KIND_EXITED);
  User().Wait(id, v1::WaitJobRequest::UNTIL_ENDED);
  agent_->Disconnect();
  // Until the scheduler notices that, the agent is only slow.
  EXPECT_EQ(CodeOf(Follow(id), user_token_), grpc::StatusCode::UNAVAILABLE);
  ScriptedAgent second(server_.address(), "n2", server_.AddNodeToken("n2"), 0);
  v1::Hello hello = second.MakeHello();
  hello.mutable_facts()->add_facilities("log-archive");
  second.SayHello(hello);
  second.ReadUntil(v1::SchedulerMessage::kHelloAck);
  LogReader reader(User(), Follow(id));
  const v1::OpenLog open = second.ReadUntil(v1::SchedulerMessage::kOpenLog).open_log();
  EXPECT_EQ(open.job_id(), id);
  LogWriter writer(second);
  ASSERT_TRUE(writer.Write(open.request_id(), "archived\n", true));
  v1::StreamLogsResponse piece;
  ASSERT_TRUE(reader.Read(&piece));
  EXPECT_EQ(piece.data(), "archived\n");
  EXPECT_TRUE(reader.Finish().ok());
}

TEST_F(Logs, ARefusalReachesTheReader) {
  const uint64_t id = StartJob();
  LogReader reader(User(), Follow(id));
  const v1::OpenLog open = TakeOpenLog();
  v1::AgentMessage message;
  message.mutable_log_refusal()->set_request_id(open.request_id());
  message.mutable_log_refusal()->set_message("the log was removed");
  agent_->Write(message);
  EXPECT_EQ(reader.Finish().error_code(), grpc::StatusCode::FAILED_PRECONDITION);

  LogReader again(User(), Follow(id));
  LogWriter writer(*agent_);
  writer.Fail(TakeOpenLog().request_id(), "no such file");
  EXPECT_EQ(again.Finish().error_code(), grpc::StatusCode::FAILED_PRECONDITION);
}

TEST_F(Logs, AreForTheirOwnersOnly) {
  const uint64_t id = StartJob();
  const std::string colleague = server_.AddUser("acme", "col", v1::ROLE_MEMBER);
  EXPECT_EQ(CodeOf(Follow(id), colleague), grpc::StatusCode::PERMISSION_DENIED);
  EXPECT_EQ(CodeOf(Follow(id), server_.OperatorToken()), grpc::StatusCode::PERMISSION_DENIED);
  EXPECT_EQ(CodeOf(Follow(id + 1), user_token_), grpc::StatusCode::NOT_FOUND);
  v1::StreamLogsRequest strange = Follow(id);
  strange.set_attempt(3);
  EXPECT_EQ(CodeOf(strange, user_token_), grpc::StatusCode::NOT_FOUND);
  strange.set_attempt(-7);
  EXPECT_EQ(CodeOf(strange, user_token_), grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(Logs, EndWithTheReadersToken) {
  const uint64_t id = StartJob();
  const v1::CreateTokenResponse token = server_.AddToken("acme", "ada");
  LogReader reader(server_.Client(token.secret()), Follow(id));
  const v1::OpenLog open = TakeOpenLog();
  LogWriter writer(*agent_);
  ASSERT_TRUE(writer.Write(open.request_id(), "one\n"));
  v1::StreamLogsResponse piece;
  ASSERT_TRUE(reader.Read(&piece));
  v1::RevokeTokenRequest revoke;
  revoke.set_id(token.token().id());
  v1::RevokeTokenResponse revoked;
  server_.Must(&Stub::RevokeToken, revoke, &revoked);
  EXPECT_EQ(reader.Finish().error_code(), grpc::StatusCode::UNAUTHENTICATED);
}

TEST_F(Logs, DoNotHoldUpAStop) {
  const uint64_t id = StartJob();
  LogReader reader(User(), Follow(id));
  const v1::OpenLog open = TakeOpenLog();
  LogWriter writer(*agent_);
  ASSERT_TRUE(writer.Write(open.request_id(), "one\n"));
  v1::StreamLogsResponse piece;
  ASSERT_TRUE(reader.Read(&piece));
  const auto before = std::chrono::steady_clock::now();
  server_.Stop();
  EXPECT_LT(std::chrono::steady_clock::now() - before, std::chrono::seconds(5));
  EXPECT_EQ(reader.Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
}

}  // namespace
}  // namespace berth
