#include "scheduler/rpc/auth.h"

#include <memory>
#include <string>

#include <gtest/gtest.h>

#include "common/credentials.h"
#include "common/error_detail.h"
#include "scheduler/rpc/permissions.h"
#include "tests/testing/test_cluster.h"

namespace berth {
namespace {

class StillClock : public Clock {
 public:
  absl::Time Now() const override { return now; }
  absl::Duration SinceBoot() const override { return absl::ZeroDuration(); }
  absl::Time now = absl::FromUnixSeconds(1000000);
};

class Auth : public ::testing::Test {
 protected:
  Auth() : job_tokens_(Secret("key"), "cluster"), authenticator_(clock_, job_tokens_) {
    Token token;
    token.id = bearer_.id;
    token.secret_hash = Sha256(bearer_.secret.Reveal());
    token.user = UserId(7);
    token.tenant = TenantId(3);
    token.role = Role::kMember;
    token.expires_at = clock_.now + absl::Hours(1);
    directory_.tokens[token.id] = token;
    directory_.users[UserId(7)] = {.id = UserId(7), .name = "ada", .tenant = TenantId(3)};
    directory_.nodes[NodeId(4)] = "n4";
    Publish();
  }
  void Publish() { authenticator_.SetDirectory(std::make_shared<AccessDirectory>(directory_)); }
  absl::StatusOr<Principal> Try(const std::string& header) {
    return authenticator_.Authenticate(header);
  }
  absl::StatusOr<Principal> TryToken() { return Try("Bearer " + FormatBearerToken(bearer_)); }
  static std::string CodeOf(const absl::Status& status) {
    const auto detail = FindDetail(status);
    return detail.has_value() ? detail->code : "";
  }

  StillClock clock_;
  BearerToken bearer_ = NewBearerToken();
  AccessDirectory directory_;
  JobTokens job_tokens_;
  Authenticator authenticator_;
};

TEST_F(Auth, AGoodTokenBecomesItsActor) {
  const auto principal = TryToken();
  ASSERT_TRUE(principal.ok()) << principal.status();
  EXPECT_EQ(principal->actor.user, UserId(7));
  EXPECT_EQ(principal->actor.tenant, TenantId(3));
  EXPECT_EQ(principal->actor.role, Role::kMember);
  EXPECT_EQ(principal->actor.user_name, "ada");
  EXPECT_EQ(principal->actor.token_id, bearer_.id);
  EXPECT_FALSE(principal->tenant_suspended);
}

TEST_F(Auth, MalformedHeadersAreRefused) {
  EXPECT_EQ(CodeOf(Try("").status()), "B7101");
  EXPECT_EQ(CodeOf(Try("Basic abc").status()), "B7101");
  EXPECT_EQ(CodeOf(Try(FormatBearerToken(bearer_)).status()), "B7101");
  EXPECT_EQ(CodeOf(Try("Bearer ").status()), "B7101");
  std::string cut = "Bearer " + FormatBearerToken(bearer_);
  cut.pop_back();
  EXPECT_EQ(CodeOf(Try(cut).status()), "B7101");
}

// The answer must not tell which ids exist.
TEST_F(Auth, UnknownIdAndWrongSecretGiveTheSameAnswer) {
  BearerToken wrong = bearer_;
  wrong.secret = NewBearerToken().secret;
  EXPECT_EQ(Try("Bearer " + FormatBearerToken(wrong)).status(),
            Try("Bearer " + FormatBearerToken(NewBearerToken())).status());
}

TEST_F(Auth, ExpiryAndRevocationEndAToken) {
  EXPECT_TRUE(authenticator_.Recheck(bearer_.id).ok());
  clock_.now += absl::Hours(1);
  EXPECT_EQ(CodeOf(TryToken().status()), "B7102");
  EXPECT_EQ(CodeOf(authenticator_.Recheck(bearer_.id)), "B7102");
  clock_.now -= absl::Minutes(1);
  EXPECT_TRUE(TryToken().ok());
  directory_.tokens[bearer_.id].revoked = true;
  Publish();
  EXPECT_EQ(CodeOf(TryToken().status()), "B7104");
  EXPECT_EQ(CodeOf(authenticator_.Recheck(bearer_.id)), "B7104");
  EXPECT_FALSE(authenticator_.Recheck("someone-else").ok());
}

// A revoked token with a wrong secret is not told apart from an unknown one.
TEST_F(Auth, TheSecretIsCheckedBeforeTheLifetime) {
  directory_.tokens[bearer_.id].revoked = true;
  Publish();
  BearerToken wrong = bearer_;
  wrong.secret = NewBearerToken().secret;
  EXPECT_EQ(CodeOf(Try("Bearer " + FormatBearerToken(wrong)).status()), "B7103");
}

TEST_F(Auth, ASuspendedTenantReadsButDoesNotSubmit) {
  directory_.suspended[TenantId(3)] = true;
  Publish();
  const auto principal = TryToken();
  ASSERT_TRUE(principal.ok());
  EXPECT_TRUE(principal->tenant_suspended);
  EXPECT_TRUE(Authorize("Client.ListJobs", *principal).ok());
  EXPECT_TRUE(Authorize("Client.CancelJob", *principal).ok());
  EXPECT_EQ(CodeOf(Authorize("Client.SubmitJob", *principal)), "B2201");
  EXPECT_EQ(CodeOf(Authorize("Client.SubmitJobs", *principal)), "B2201");
}

// A gang of ada's runs.
class JobAuth : public Auth {
 protected:
  JobAuth() {
    center_.AddNode("n1");
    center_.AddNode("n2");
    const GroupKey key = center_.Key(Gang(2, 1));
    JobSpec spec;
    spec.tenant = key.tenant;
    spec.project = key.project;
    spec.user = UserId(7);
    spec.gang = key.gang;
    job_ = center_.cluster().AddJob(spec, center_.now());
    Blocker why;
    auto members = FreeView(center_.cluster()).Place(center_.Request(key, sim_), why);
    center_.cluster().StartJob({job_, sim_, Funding::kBorrowed, *std::move(members)},
                               center_.now());
    member_ = center_.cluster().TakeChanges().allocations.at(0);
    job_tokens_.Note({member_}, center_.cluster());
    token_ = job_tokens_.Make(member_);
  }
  absl::Status Recheck() { return authenticator_.Recheck(ParseBearerToken(token_)->id); }

  TestCluster center_;
  ClassId sim_ = center_.Class("sim");
  JobId job_;
  Allocation member_;
  std::string token_;
};

TEST_F(JobAuth, AJobsTokenIsItsUserInThatJobAndNobodyElsewhere) {
  const auto principal = Try("Bearer " + token_);
  ASSERT_TRUE(principal.ok()) << principal.status();
  EXPECT_EQ(principal->actor.user, UserId(7));
  EXPECT_EQ(principal->actor.tenant, center_.tenant());
  EXPECT_EQ(principal->actor.role, Role::kMember);
  EXPECT_EQ(principal->actor.user_name, "ada");
  EXPECT_EQ("brth_" + principal->actor.token_id, token_.substr(0, 17));
  EXPECT_TRUE(Authorize("Client.EnterJob", *principal).ok());
  EXPECT_TRUE(Authorize("Client.ListAllocations", *principal).ok());
  EXPECT_TRUE(CheckOwnJob(*principal, job_).ok());
  EXPECT_EQ(CodeOf(CheckOwnJob(*principal, JobId(job_.value() + 1))), "B7210");
  EXPECT_EQ(CodeOf(CheckOwnJob(*principal, JobId())), "B7210");
  EXPECT_TRUE(Recheck().ok());
}

TEST_F(JobAuth, AJobsTokenEndsWithItsTask) {
  member_.state = AllocationState::kReleased;
  job_tokens_.Note({member_}, center_.cluster());
  EXPECT_EQ(CodeOf(Try("Bearer " + token_).status()), "B7103");
  EXPECT_EQ(CodeOf(Recheck()), "B7103");
}

TEST_F(JobAuth, AJobsTokenEndsWithItsUserButNotWhenItsTenantIsSuspended) {
  directory_.suspended[center_.tenant()] = true;
  Publish();
  EXPECT_TRUE(Try("Bearer " + token_).ok());
  EXPECT_TRUE(Recheck().ok());
  directory_.users.clear();
  Publish();
  EXPECT_EQ(CodeOf(Try("Bearer " + token_).status()), "B7104");
}

TEST_F(JobAuth, AWrongSecretOfATaskIsAnUnknownToken) {
  BearerToken wrong = *ParseBearerToken(token_);
  wrong.secret = NewBearerToken().secret;
  EXPECT_EQ(Try("Bearer " + FormatBearerToken(wrong)).status(),
            Try("Bearer " + FormatBearerToken(NewBearerToken())).status());
  token_.pop_back();
  EXPECT_EQ(CodeOf(Try("Bearer " + token_).status()), "B7101");
}

TEST_F(Auth, KnowsTheNamesOfNodes) {
  EXPECT_EQ(authenticator_.NodeName(NodeId(4)), "n4");
  EXPECT_EQ(authenticator_.NodeName(NodeId(5)), "");
}

TEST(AuthAtStart, NobodyIsKnownBeforeTheFirstDirectory) {
  const StillClock clock;
  const JobTokens job_tokens(Secret("key"), "cluster");
  const Authenticator authenticator(clock, job_tokens);
  EXPECT_EQ(
      authenticator.Authenticate("Bearer " + FormatBearerToken(NewBearerToken())).status().code(),
      absl::StatusCode::kUnavailable);
  EXPECT_FALSE(authenticator.Recheck("x").ok());
}

}  // namespace
}  // namespace berth
