// Shares of a device: who may share with whom, and what the quota says.

#include <random>

#include <gtest/gtest.h>

#include "scheduler/core/invariants.h"
#include "tests/testing/test_cluster.h"

namespace berth {
namespace {

class SharesTest : public testing::Test {
 protected:
  GroupKey Share(int milli, size_t tenant = 0) const {
    GangShape gang = Gang(1, 1);
    gang.device_share_milli = milli;
    return world_.Key(gang, tenant);
  }
  int64_t Used(size_t tenant = 0) const {
    return world_.cluster().quota().Use({world_.tenant(tenant), ProjectId(), sim_}).used();
  }
  void Check() const {
    const absl::Status status = CheckInvariants(world_.cluster());
    ASSERT_TRUE(status.ok()) << status;
  }

  TestCluster world_;
  ClassId sim_ = world_.Class("sim");
};

TEST_F(SharesTest, FillOneDeviceBeforeTheyOpenTheNext) {
  world_.AddNode("a", 2);
  EXPECT_TRUE(world_.Start(Share(600), sim_));
  EXPECT_TRUE(world_.Start(Share(400), sim_));
  EXPECT_EQ(FreeView(world_.cluster()).FreeCount(sim_), 1);
  EXPECT_TRUE(world_.Start(Share(100), sim_));
  EXPECT_EQ(FreeView(world_.cluster()).FreeCount(sim_), 0);
  EXPECT_FALSE(world_.Start(Share(950), sim_));
  EXPECT_FALSE(world_.Start(world_.Key(Gang(1, 1)), sim_));
  Check();
}

TEST_F(SharesTest, CountAsOneDeviceFromTheFirstToTheLast) {
  world_.AddNode("a", 2);
  const JobId first = world_.Start(Share(300), sim_);
  EXPECT_EQ(Used(), 1);
  EXPECT_TRUE(FreeView(world_.cluster()).FitsOpenDevice(world_.Request(Share(300), sim_)));
  const JobId second = world_.Start(Share(300), sim_);
  EXPECT_EQ(Used(), 1);
  Check();
  world_.End(first);
  EXPECT_EQ(Used(), 1);
  Check();
  world_.End(second);
  EXPECT_EQ(Used(), 0);
  EXPECT_EQ(FreeView(world_.cluster()).FreeCount(sim_), 2);
  Check();
}

// The device may vanish meanwhile, and what tells of its end comes later.
TEST_F(SharesTest, CountUntilTheirEndAlsoWhereTheNodeHasTheDeviceNoMore) {
  const NodeId node = world_.AddNode("a", 2);
  const JobId first = world_.Start(Share(300), sim_);
  const JobId second = world_.Start(Share(300), sim_);
  const JobId whole = world_.Start(world_.Key(Gang(1, 1)), sim_);
  NodeFacts facts = world_.cluster().GetNode(node).facts;
  facts.devices.clear();
  world_.cluster().PutFacts(node, facts);
  EXPECT_EQ(Used(), 2);
  Check();
  world_.End(first);
  EXPECT_EQ(Used(), 2);
  Check();
  world_.End(second);
  EXPECT_EQ(Used(), 1);
  world_.End(whole);
  EXPECT_EQ(Used(), 0);
  Check();
}

TEST_F(SharesTest, AreOnlyForOneTenantLabelAndPreemptibility) {
  world_.AddNode("a", 1);
  world_.Start(Share(300), sim_);
  GroupKey firm = Share(300);
  firm.preemptible = false;
  const FreeView view(world_.cluster());
  EXPECT_TRUE(view.CanPlace(world_.Request(Share(700), sim_)));
  EXPECT_FALSE(view.CanPlace(world_.Request(Share(300, 1), sim_)));
  EXPECT_FALSE(view.CanPlace(world_.Request(Share(300), sim_, Funding::kOwned)));
  EXPECT_FALSE(view.CanPlace(world_.Request(firm, sim_)));
}

TEST_F(SharesTest, OfOneDeviceChangeTheirLabelTogether) {
  world_.AddNode("a", 1);
  world_.Start(Share(300), sim_);
  const JobId second = world_.Start(Share(300), sim_);
  world_.cluster().PutLimits({world_.tenant(), ProjectId(), sim_}, {.entitlement = 1});
  world_.cluster().UpgradeLabels(world_.tenant(), sim_);

  EXPECT_EQ(world_.cluster().GetJob(second).attempt.funding, Funding::kOwned);
  EXPECT_EQ(world_.cluster().quota().Use({world_.tenant(), ProjectId(), sim_}).owned, 1);
  Check();
  EXPECT_TRUE(world_.Start(Share(400), sim_, Funding::kOwned));
  Check();

  world_.cluster().PutLimits({world_.tenant(), ProjectId(), sim_}, {.entitlement = 0});
  world_.cluster().DowngradeLabels(world_.tenant(), sim_);
  EXPECT_EQ(world_.cluster().GetJob(second).attempt.funding, Funding::kBorrowed);
  Check();
}

TEST_F(SharesTest, KeepTheBooksOverRandomHistories) {
  std::mt19937_64 random(7);
  const auto pick = [&random](uint64_t bound) { return random() % bound; };
  world_.AddNode("a", 3);
  world_.AddNode("b", 2);
  std::vector<JobId> running;
  for (int step = 0; step < 3000; ++step) {
    if (pick(2) == 0 || running.empty()) {
      const GroupKey key = pick(4) == 0 ? world_.Key(Gang(1, 1), pick(2))
                                        : Share(100 * static_cast<int>(1 + pick(9)), pick(2));
      if (const JobId job = world_.Start(key, sim_)) {
        running.push_back(job);
      }
    } else {
      const size_t which = pick(running.size());
      world_.End(running[which]);
      running.erase(running.begin() + static_cast<std::ptrdiff_t>(which));
    }
    ASSERT_NO_FATAL_FAILURE(Check()) << "step " << step;
  }
}

}  // namespace
}  // namespace berth
