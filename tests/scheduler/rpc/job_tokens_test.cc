#include "scheduler/rpc/job_tokens.h"

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "tests/testing/test_cluster.h"

namespace berth {
namespace {

class JobTokensTest : public testing::Test {
 protected:
  JobTokensTest() {
    center_.AddNode("n1");
    center_.AddNode("n2");
  }

  // The members of a job that has just got its nodes.
  std::vector<Allocation> Start(int nodes) {
    center_.Start(center_.Key(Gang(nodes, 1)), center_.Class("sim"));
    changes_ = center_.cluster().TakeChanges();
    EXPECT_EQ(changes_.allocations.size(), static_cast<size_t>(nodes));
    EXPECT_FALSE(tokens_.Note(changes_.allocations, center_.cluster()));
    return changes_.allocations;
  }
  bool IsGood(const std::string& token) const {
    return tokens_.Find(*ParseBearerToken(token)).has_value();
  }

  TestCluster center_;
  Changes changes_;
  JobTokens tokens_{Secret("key"), "cluster"};
};

TEST_F(JobTokensTest, EveryTaskOfAGangHasOneOfItsOwn) {
  const std::vector<Allocation> members = Start(2);
  const std::string token = tokens_.Make(members[0]);
  EXPECT_NE(token, tokens_.Make(members[1]));
  EXPECT_TRUE(IsGood(tokens_.Make(members[1])));
  const auto holder = tokens_.Find(*ParseBearerToken(token));
  ASSERT_TRUE(holder.has_value());
  EXPECT_EQ(holder->job, members[0].job);
  EXPECT_EQ(holder->tenant, center_.tenant());
  EXPECT_TRUE(tokens_.Find(ParseBearerToken(token)->id).has_value());
}

TEST_F(JobTokensTest, AJobOfOneNodeHasNone) {
  EXPECT_FALSE(IsGood(tokens_.Make(Start(1)[0])));
}

TEST_F(JobTokensTest, NobodyElseCanMakeOne) {
  const Allocation member = Start(2)[0];
  EXPECT_FALSE(IsGood(JobTokens(Secret("guess"), "cluster").Make(member)));
  EXPECT_FALSE(IsGood(JobTokens(Secret("key"), "another cluster").Make(member)));
}

TEST_F(JobTokensTest, OneIsOfNoOtherTaskJobAttemptOrTime) {
  const std::vector<Allocation> members = Start(2);
  BearerToken mixed = *ParseBearerToken(tokens_.Make(members[0]));
  mixed.secret = ParseBearerToken(tokens_.Make(members[1]))->secret;
  EXPECT_FALSE(tokens_.Find(mixed).has_value());
  mixed.secret = Secret(mixed.secret.Reveal().substr(0, 42));
  EXPECT_FALSE(tokens_.Find(mixed).has_value());
  Allocation other = members[0];
  other.job = JobId(other.job.value() + 1);
  EXPECT_FALSE(IsGood(tokens_.Make(other)));
  other = members[0];
  ++other.attempt;
  EXPECT_FALSE(IsGood(tokens_.Make(other)));
  other = members[0];
  other.reserved_at += absl::Microseconds(1);
  EXPECT_FALSE(IsGood(tokens_.Make(other)));
}

TEST_F(JobTokensTest, OneEndsWithItsTaskAlone) {
  std::vector<Allocation> members = Start(2);
  members[0].state = AllocationState::kReleased;
  EXPECT_TRUE(tokens_.Note({members[0]}, center_.cluster()));
  EXPECT_FALSE(IsGood(tokens_.Make(members[0])));
  EXPECT_TRUE(IsGood(tokens_.Make(members[1])));
  EXPECT_FALSE(tokens_.Note({members[0]}, center_.cluster())) << "nobody lost one now";
}

// A restart knows the same tasks, and their times in microseconds.
TEST_F(JobTokensTest, OneIsStillGoodAfterARestart) {
  Allocation member = Start(2)[0];
  const std::string token = tokens_.Make(member);
  JobTokens later(Secret("key"), "cluster");
  member.reserved_at = absl::FromUnixMicros(absl::ToUnixMicros(member.reserved_at));
  later.Note({member}, center_.cluster());
  EXPECT_TRUE(later.Find(*ParseBearerToken(token)).has_value());
}

// After a restore nobody knows what became of a task since the backup, until its agent says it.
TEST_F(JobTokensTest, OneOfADoubtfulTaskWaitsForItsAgent) {
  const std::string token = tokens_.Make(Start(2)[0]);
  StoredState backup;
  backup.nouns = changes_;
  backup.last_job = changes_.jobs.back().id;
  backup.last_allocation = changes_.allocations.back().id;
  backup.restored_allocation = backup.last_allocation;
  Cluster restored;
  restored.Restore(std::move(backup));
  tokens_.Note(changes_.allocations, restored);
  EXPECT_FALSE(IsGood(token));
  restored.MarkConfirmed(changes_.allocations[0].id);
  tokens_.Note({restored.GetAllocation(changes_.allocations[0].id)}, restored);
  EXPECT_TRUE(IsGood(token));
  EXPECT_FALSE(IsGood(tokens_.Make(changes_.allocations[1])));
}

}  // namespace
}  // namespace berth
