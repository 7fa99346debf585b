// The negative tests of the access rules: who is refused, and how.

#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/time/clock.h"
#include <gtest/gtest.h>

#include "common/credentials.h"
#include "common/error_detail.h"
#include "tests/testing/running_server.h"
#include "tests/testing/scripted_agent.h"

namespace berth {
namespace {

using Stub = TestClient::Stub;

// Two tenants whose names are prefixes of each other, each with people and a held job.
class Access : public ::testing::Test {
 protected:
  Access() {
    for (const char* tenant : {"acme", "acme-2"}) {
      server_.AddTenant(tenant);
      server_.SetQuota(tenant, "sim", 4);
    }
    member_ = server_.AddUser("acme", "ada", v1::ROLE_MEMBER);
    colleague_ = server_.AddUser("acme", "col", v1::ROLE_MEMBER);
    admin_ = server_.AddUser("acme", "adm", v1::ROLE_TENANT_ADMIN);
    stranger_ = server_.AddUser("acme-2", "ada", v1::ROLE_TENANT_ADMIN);
    auditor_ = server_.AddUser("", "aud", v1::ROLE_AUDITOR);
    node_ = server_.AddNodeToken("n1");
    ScriptedAgent agent(server_.address(), "n1", node_);
    agent.Join();
    v1::SubmitJobRequest request = JobOf(1, 1, "secret-plan");
    request.mutable_spec()->set_hold(true);
    (*request.mutable_spec()->mutable_environment())["KEY"] = "hunter2";
    job_ = *server_.Client(member_).Submit(request);
  }

  template <typename Request, typename Response>
  absl::Status As(const std::string& token,
                  grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*),
                  const Request& request) {
    Response response;
    return server_.Client(token).Call(method, request, &response);
  }
  absl::Status WhoAmI(const std::string& token) {
    return As(token, &Stub::WhoAmI, v1::WhoAmIRequest());
  }
  static std::string CodeOf(const absl::Status& status) {
    const auto detail = FindDetail(status);
    return detail.has_value() ? detail->code : "";
  }

  RunningServer server_;
  std::string member_;
  std::string colleague_;
  std::string admin_;
  std::string stranger_;
  std::string auditor_;
  std::string node_;
  uint64_t job_ = 0;
};

TEST_F(Access, NoTokenOrAStrangeOneIsUnauthenticated) {
  EXPECT_EQ(CodeOf(WhoAmI("")), "B7101");
  EXPECT_EQ(WhoAmI("").code(), absl::StatusCode::kUnauthenticated);
  EXPECT_EQ(WhoAmI("no token at all").code(), absl::StatusCode::kUnauthenticated);
  // An unknown id and a wrong secret cannot be told apart.
  BearerToken wrong_secret = *ParseBearerToken(member_);
  wrong_secret.secret = NewBearerToken().secret;
  const absl::Status unknown = WhoAmI(FormatBearerToken(NewBearerToken()));
  const absl::Status wrong = WhoAmI(FormatBearerToken(wrong_secret));
  EXPECT_EQ(unknown.code(), absl::StatusCode::kUnauthenticated);
  EXPECT_EQ(unknown.message(), wrong.message());
  EXPECT_EQ(CodeOf(unknown), CodeOf(wrong));
  EXPECT_TRUE(WhoAmI(member_).ok());
}

TEST_F(Access, PingNeedsNoTokenAndTellsNoVersion) {
  v1::PingResponse response;
  ASSERT_TRUE(server_.Client("").Call(&Stub::Ping, v1::PingRequest(), &response).ok());
  EXPECT_EQ(response.protocol_max(), 1);
}

TEST_F(Access, ExpiredAndRevokedTokensAreRefused) {
  const v1::CreateTokenResponse brief = server_.AddToken("acme", "ada", 60000);
  EXPECT_TRUE(WhoAmI(brief.secret()).ok());
  server_.clock().Advance(absl::Minutes(2));
  EXPECT_EQ(CodeOf(WhoAmI(brief.secret())), "B7102");

  const v1::CreateTokenResponse other = server_.AddToken("acme", "ada");
  v1::RevokeTokenRequest revoke;
  revoke.set_id(other.token().id());
  // A stranger cannot revoke it, nor learn that it exists.
  EXPECT_EQ(As(stranger_, &Stub::RevokeToken, revoke).code(), absl::StatusCode::kNotFound);
  EXPECT_TRUE(WhoAmI(other.secret()).ok());
  EXPECT_TRUE(As(member_, &Stub::RevokeToken, revoke).ok());
  EXPECT_EQ(CodeOf(WhoAmI(other.secret())), "B7104");
  server_.Restart();
  EXPECT_EQ(CodeOf(WhoAmI(other.secret())), "B7104");
  EXPECT_TRUE(WhoAmI(member_).ok());
}

TEST_F(Access, ARevokedTokenEndsItsWaits) {
  const v1::CreateTokenResponse token = server_.AddToken("acme", "ada");
  TestClient client = server_.Client(token.secret());
  v1::WaitJobRequest wait;
  wait.set_job_id(job_);
  wait.set_timeout_ms(60'000);
  absl::Status ended;
  std::thread waiter([&] {
    v1::WaitJobResponse response;
    ended = client.Call(&Stub::WaitJob, wait, &response);
  });
  absl::SleepFor(absl::Milliseconds(50));  // either order must end it; this one is the usual
  v1::RevokeTokenRequest revoke;
  revoke.set_id(token.token().id());
  EXPECT_TRUE(As(member_, &Stub::RevokeToken, revoke).ok());
  waiter.join();
  EXPECT_EQ(CodeOf(ended), "B7104");
}

TEST_F(Access, NobodyGrantsMoreThanTheyHold) {
  v1::AddUserRequest operator_request;
  operator_request.set_name("evil");
  operator_request.set_role(v1::ROLE_OPERATOR);
  EXPECT_EQ(As(member_, &Stub::AddUser, operator_request).code(),
            absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(As(admin_, &Stub::AddUser, operator_request).code(),
            absl::StatusCode::kPermissionDenied);
  v1::CreateTokenRequest node_token;
  node_token.set_node("n1");
  EXPECT_EQ(As(member_, &Stub::CreateToken, node_token).code(),
            absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(As(admin_, &Stub::CreateToken, node_token).code(), absl::StatusCode::kPermissionDenied);
  v1::CreateTokenRequest admins_token;
  admins_token.set_user("adm");
  EXPECT_EQ(As(member_, &Stub::CreateToken, admins_token).code(),
            absl::StatusCode::kPermissionDenied);
  v1::CreateTokenRequest strangers_token;
  strangers_token.set_user("ada");
  strangers_token.set_tenant("acme-2");
  EXPECT_EQ(As(admin_, &Stub::CreateToken, strangers_token).code(), absl::StatusCode::kNotFound);
}

TEST_F(Access, QuotasOfOthersAndTheOwnTopAreOutOfReach) {
  v1::SetQuotaRequest request;
  request.set_tenant("acme-2");
  request.set_device_class("sim");
  request.mutable_limits()->set_entitlement(0);
  EXPECT_EQ(As(admin_, &Stub::SetQuota, request).code(), absl::StatusCode::kNotFound);
  request.set_tenant("acme");
  request.mutable_limits()->set_entitlement(100);
  EXPECT_EQ(As(admin_, &Stub::SetQuota, request).code(), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(As(member_, &Stub::SetQuota, request).code(), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(CodeOf(As(auditor_, &Stub::SetQuota, request)), "B7201");
  v1::GetQuotaRequest get;
  get.set_tenant("acme-2");
  EXPECT_EQ(As(admin_, &Stub::GetQuota, get).code(), absl::StatusCode::kNotFound);
  v1::GetQuotaResponse rows;
  ASSERT_TRUE(server_.Client(admin_).Call(&Stub::GetQuota, v1::GetQuotaRequest(), &rows).ok());
  ASSERT_EQ(rows.rows_size(), 1);
  EXPECT_EQ(rows.rows(0).tenant(), "acme");
  EXPECT_EQ(rows.rows(0).limits().entitlement(), 4);
  EXPECT_EQ(rows.rows(0).capacity(), 0);
}

TEST_F(Access, AForeignJobDoesNotExist) {
  v1::GetJobRequest get;
  get.set_job_id(job_);
  v1::GetJobRequest none;
  none.set_job_id(job_ + 1000);
  const absl::Status foreign = As(stranger_, &Stub::GetJob, get);
  EXPECT_EQ(foreign.code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(absl::StrReplaceAll(foreign.message(),
                                {
                                    {absl::StrCat(job_), "N"}
  }),
            absl::StrReplaceAll(As(stranger_, &Stub::GetJob, none).message(),
                                {{absl::StrCat(job_ + 1000), "N"}}));
  v1::CancelJobRequest cancel;
  cancel.set_job_id(job_);
  EXPECT_EQ(As(stranger_, &Stub::CancelJob, cancel).code(), absl::StatusCode::kNotFound);
  v1::HoldJobRequest hold;
  hold.set_job_id(job_);
  EXPECT_EQ(As(stranger_, &Stub::HoldJob, hold).code(), absl::StatusCode::kNotFound);
  v1::ReleaseJobRequest release;
  release.set_job_id(job_);
  EXPECT_EQ(As(stranger_, &Stub::ReleaseJob, release).code(), absl::StatusCode::kNotFound);
  v1::WaitJobRequest wait;
  wait.set_job_id(job_);
  EXPECT_EQ(As(stranger_, &Stub::WaitJob, wait).code(), absl::StatusCode::kNotFound);
  v1::ListAllocationsRequest allocations;
  allocations.set_job_id(job_);
  EXPECT_EQ(As(stranger_, &Stub::ListAllocations, allocations).code(), absl::StatusCode::kNotFound);
  v1::StreamLogsRequest logs;
  logs.set_job_id(job_);
  TestClient client = server_.Client(stranger_);
  grpc::ClientContext context;
  client.Prepare(context);
  auto stream = client.stub().StreamLogs(&context, logs);
  v1::StreamLogsResponse ignored;
  EXPECT_FALSE(stream->Read(&ignored));
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::NOT_FOUND);

  grpc::ClientContext entering;
  client.Prepare(entering);
  auto channel = client.stub().EnterJob(&entering);
  v1::ChannelInput enter;
  enter.mutable_enter()->set_job_id(job_);
  enter.mutable_enter()->mutable_command()->add_argv("true");
  channel->Write(enter);
  v1::ChannelOutput output;
  EXPECT_FALSE(channel->Read(&output));
  EXPECT_EQ(channel->Finish().error_code(), grpc::StatusCode::NOT_FOUND);

  v1::ListJobsResponse listed;
  ASSERT_TRUE(client.Call(&Stub::ListJobs, v1::ListJobsRequest(), &listed).ok());
  EXPECT_EQ(listed.jobs_size(), 0);
  v1::ListJobsRequest forged;
  forged.set_tenant("acme");
  EXPECT_EQ(As(stranger_, &Stub::ListJobs, forged).code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(server_.Client(member_).GetJob(job_)->state(), v1::JOB_STATE_HELD);
}

TEST_F(Access, AColleagueSeesTheJobButMayNotTouchIt) {
  v1::GetJobRequest get;
  get.set_job_id(job_);
  get.set_with_spec(true);
  v1::GetJobResponse response;
  ASSERT_TRUE(server_.Client(colleague_).Call(&Stub::GetJob, get, &response).ok());
  EXPECT_EQ(response.spec().environment().at("KEY"), "(redacted)");
  ASSERT_TRUE(server_.Client(admin_).Call(&Stub::GetJob, get, &response).ok());
  EXPECT_EQ(response.spec().environment().at("KEY"), "hunter2");
  EXPECT_EQ(As(auditor_, &Stub::GetJob, get).code(), absl::StatusCode::kPermissionDenied);
  v1::CancelJobRequest cancel;
  cancel.set_job_id(job_);
  EXPECT_EQ(As(colleague_, &Stub::CancelJob, cancel).code(), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(CodeOf(As(auditor_, &Stub::CancelJob, cancel)), "B7201");
  EXPECT_TRUE(As(admin_, &Stub::CancelJob, cancel).ok());
}

TEST_F(Access, NamesAreMatchedExactly) {
  v1::AddTenantRequest request;
  for (const char* name : {"ACME", "acme\n", "acm\xc3\xa9", "", "acme'; DROP TABLE job; --"}) {
    request.set_name(name);
    EXPECT_EQ(As(server_.OperatorToken(), &Stub::AddTenant, request).code(),
              absl::StatusCode::kInvalidArgument)
        << name;
  }
  v1::ListUsersRequest users;
  users.set_tenant("acm");
  EXPECT_EQ(As(server_.OperatorToken(), &Stub::ListUsers, users).code(),
            absl::StatusCode::kNotFound);
  v1::ListUsersResponse listed;
  users.set_tenant("acme");
  ASSERT_TRUE(server_.Client(admin_).Call(&Stub::ListUsers, users, &listed).ok());
  EXPECT_EQ(listed.users_size(), 3);
  v1::ListTenantsResponse tenants;
  ASSERT_TRUE(
      server_.Client(stranger_).Call(&Stub::ListTenants, v1::ListTenantsRequest(), &tenants).ok());
  ASSERT_EQ(tenants.tenants_size(), 1);
  EXPECT_EQ(tenants.tenants(0).name(), "acme-2");
}

TEST_F(Access, NobodySubmitsForAnotherTenant) {
  v1::SubmitJobRequest request = JobOf(1, 1);
  request.set_on_behalf_of_tenant("acme");
  EXPECT_EQ(As(stranger_, &Stub::SubmitJob, request).code(), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(CodeOf(As(auditor_, &Stub::SubmitJob, request)), "B7201");
  EXPECT_TRUE(As(server_.OperatorToken(), &Stub::SubmitJob, request).ok());
}

TEST_F(Access, HostileTextIsKeptLiterally) {
  const std::string text = "Robert'); DROP TABLE job;-- \" % _ $(reboot) \\ \xe2\x98\x83";
  v1::SubmitJobRequest request = JobOf(1, 1, text);
  request.mutable_spec()->add_command(text);
  request.set_idempotency_key("' OR 1=1 --");
  const auto id = server_.Client(member_).Submit(request);
  ASSERT_TRUE(id.ok()) << id.status();
  server_.Restart();
  EXPECT_EQ(server_.Client(member_).GetJob(*id)->name(), text);
  v1::ListJobsRequest by_name;
  by_name.set_name("' OR '1'='1");
  v1::ListJobsResponse listed;
  ASSERT_TRUE(server_.Client(member_).Call(&Stub::ListJobs, by_name, &listed).ok());
  EXPECT_EQ(listed.jobs_size(), 0);
}

TEST_F(Access, ANodeIsNoUserAndAUserNoNode) {
  EXPECT_EQ(CodeOf(WhoAmI(node_)), "B7201");
  EXPECT_EQ(As(node_, &Stub::SubmitJob, JobOf(1, 1)).code(), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(As(node_, &Stub::ListJobs, v1::ListJobsRequest()).code(),
            absl::StatusCode::kPermissionDenied);
  ScriptedAgent agent(server_.address(), "n1", server_.OperatorToken());
  EXPECT_EQ(agent.ReadToEnd().error_code(), grpc::StatusCode::PERMISSION_DENIED);
}

TEST_F(Access, MembersSeeNodesWithoutTheirAddresses) {
  v1::ListNodesResponse nodes;
  ASSERT_TRUE(server_.Client(member_).Call(&Stub::ListNodes, v1::ListNodesRequest(), &nodes).ok());
  ASSERT_EQ(nodes.nodes_size(), 1);
  EXPECT_EQ(nodes.nodes(0).device_class(), "sim");
  EXPECT_EQ(nodes.nodes(0).facts().devices_size(), 8);
  EXPECT_EQ(nodes.nodes(0).facts().address(), "");
  EXPECT_EQ(nodes.nodes(0).facts().devices(0).uuid(), "");
  v1::DrainNodeRequest drain;
  drain.set_name("n1");
  const absl::Status refused = As(admin_, &Stub::DrainNode, drain);
  EXPECT_EQ(CodeOf(refused), "B7201");
  EXPECT_EQ(FindDetail(refused)->fix[0], "ask somebody with the role operator");
}

// The local door is not on the network.
TEST_F(Access, BootstrapIsServedOnTheLocalSocketOnly) {
  auto stub = v1::LocalAdmin::NewStub(server_.Operator().channel());
  grpc::ClientContext context;
  v1::BootstrapResponse response;
  EXPECT_EQ(stub->Bootstrap(&context, v1::BootstrapRequest(), &response).error_code(),
            grpc::StatusCode::UNIMPLEMENTED);
  struct stat facts {};
  ASSERT_EQ(stat(server_.admin_socket().c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 0777, 0600u);
}

}  // namespace
}  // namespace berth
