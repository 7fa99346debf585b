#include "scheduler/core/waiting_claims.h"

#include <array>
#include <cstddef>
#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include <gtest/gtest.h>

#include "tests/testing/test_center.h"

namespace berth {
namespace {

TEST(WaitingClaims, SumsAreThoseOfTheListed) {
  const QuotaKey key{TenantId(1), ProjectId(2), ClassId(3)};
  const absl::Time due = absl::FromUnixSeconds(100);
  WaitingClaims claims;
  for (const int id : {1, 2, 3}) {
    claims.Add(JobId(id));
  }
  claims.List(JobId(1), {due + absl::Seconds(1), key, QuotaUse::Of(8, Funding::kOwned, false)});
  claims.List(JobId(2), {due, key, QuotaUse::Of(4, Funding::kBorrowed, true)});
  EXPECT_EQ(claims.uses().at(key), (QuotaUse{.owned = 8, .borrowed = 4, .non_preemptible = 8}));
  EXPECT_EQ(claims.first_due(), due);
  EXPECT_EQ(claims.stirred(), std::set<JobId>{JobId(3)});
  claims.Stir(JobId(2));
  claims.Stir(JobId(7));  // no nomination
  EXPECT_EQ(claims.stirred(), (std::set<JobId>{JobId(2), JobId(3)}));
  EXPECT_EQ(claims.uses().at(key).borrowed, 0);
  claims.Drop(JobId(1));
  EXPECT_TRUE(claims.uses().empty());
  EXPECT_EQ(claims.first_due(), absl::InfiniteFuture());
}

// Two owners' claims, for the nodes of two borrowers who have been asked for them.
class WaitingClaimsTest : public testing::Test {
 protected:
  void SetUp() override {
    center_.AddTenant("beta");
    for (size_t i = 0; i < 2; ++i) {
      const std::string owner = absl::StrCat("owner", i);
      center_.AddTenant(owner);
      nodes_[i] = center_.AddNode(absl::StrCat("n", i));
      center_.SetQuota(owner, {.entitlement = 8});
      borrowers_[i] = center_.SubmitRunning({.tenant = "beta", .devices = 8});
    }
    for (size_t i = 0; i < 2; ++i) {
      claims_[i] = center_.Submit({.tenant = absl::StrCat("owner", i), .devices = 8});
    }
    center_.Round();
    ASSERT_EQ(waiting(), 2);
    ASSERT_EQ(index().uses().size(), 2);
  }
  void TearDown() override {
    const absl::Status status = CheckInvariants(center_.cluster());
    EXPECT_TRUE(status.ok()) << status;
  }
  const WaitingClaims& index() const { return center_.cluster().waiting_claims(); }
  size_t waiting() const { return index().waiting().size(); }
  void GiveBack(JobId borrower) {
    for (const AllocationId member : center_.GetJob(borrower).allocations) {
      center_.Report(member, ReportKind::kKilled);
    }
    center_.Commit();
  }

  TestCenter center_;
  std::array<NodeId, 2> nodes_;
  std::array<JobId, 2> borrowers_;
  std::array<JobId, 2> claims_;
};

TEST_F(WaitingClaimsTest, OneThatHasItsDevicesStartsAndTheOtherGoesOnWaiting) {
  GiveBack(borrowers_[0]);
  EXPECT_EQ(waiting(), 1);
  center_.Round();
  const std::array held = {center_.GetJob(claims_[0]).allocations.size(),
                           center_.GetJob(claims_[1]).allocations.size()};
  EXPECT_EQ(held[0] + held[1], 1);
  EXPECT_EQ(waiting(), 1);
  GiveBack(borrowers_[1]);
  center_.Round();
  EXPECT_EQ(center_.state(claims_[0]), JobState::kStarting);
  EXPECT_EQ(center_.state(claims_[1]), JobState::kStarting);
}

TEST_F(WaitingClaimsTest, OneThatIsHeldOrWhoseTenantIsSuspendedGivesUp) {
  center_.Must(HoldJob{claims_[0]});
  EXPECT_EQ(waiting(), 1);
  center_.Change([](const Step& step) {
    Tenant tenant = *step.cluster.quota().FindTenantByName("owner1");
    tenant.suspended = true;
    step.cluster.PutTenant(tenant);
  });
  EXPECT_EQ(waiting(), 0);
  center_.Round();
  EXPECT_TRUE(center_.cluster().nominations().empty());
}

TEST_F(WaitingClaimsTest, OneWhoseNodeIsDrainedGivesUp) {
  const NodeId node = center_.cluster().nominations().at(claims_[0]).members.front().node;
  center_.Must(DrainNode{center_.cluster().GetNode(node).name});
  EXPECT_EQ(waiting(), 1);
  center_.Round();
  EXPECT_FALSE(center_.cluster().nominations().contains(claims_[0]));
  EXPECT_TRUE(center_.cluster().nominations().contains(claims_[1]));
}

TEST_F(WaitingClaimsTest, OneThatWaitedForTooLongGivesUp) {
  const absl::Duration notice = index().first_due() - center_.now();
  center_.Advance(notice + center_.engine().policy().nomination_timeout);
  center_.Round();
  EXPECT_TRUE(center_.engine().PlanDue());
  EXPECT_EQ(waiting() + index().stirred().size(), center_.cluster().nominations().size());
  EXPECT_EQ(center_.cluster().open_reclaims().size(), center_.cluster().nominations().size());
}

}  // namespace
}  // namespace berth
