// Which quotas are refused, and with which numbers.

#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "tests/testing/test_center.h"

namespace berth {
namespace {

// Four nodes of 8 in two racks of two, and one of 4 in a third rack.
class QuotaChecksTest : public testing::Test {
 protected:
  void SetUp() override {
    center_.AddTenant("acme");
    center_.AddTenant("beta");
    center_.Must(AddProject{"acme", "vision"});
    AddNode("n1", 8, "r1");
    AddNode("n2", 8, "r1");
    AddNode("n3", 8, "r2");
    AddNode("n4", 8, "r2");
    AddNode("n5", 4, "r3");
  }
  void AddNode(const std::string& name, int devices, const std::string& rack) {
    const NodeId node = center_.AddNode(name, devices);
    center_.Change([&](const Step& step) {
      NodeFacts facts = step.cluster.GetNode(node).facts;
      facts.topology = {"pod", "block", rack};
      step.cluster.PutFacts(node, std::move(facts));
    });
  }
  // What the operator is told; empty: it is done.
  std::string Set(const std::string& tenant, QuotaLimits limits, bool allow_oversell = false,
                  const std::string& project = "") {
    return std::string(center_
                           .Try(SetQuota{.tenant = tenant,
                                         .project = project,
                                         .device_class = "sim",
                                         .limits = limits,
                                         .allow_oversell = allow_oversell})
                           .status()
                           .message());
  }

  TestCenter center_;
};

TEST_F(QuotaChecksTest, ANumberOutOfItsPlace) {
  EXPECT_EQ(Set("acme", {.entitlement = 9, .limit = 8}), "entitlement 9 is above the limit 8");
  EXPECT_EQ(Set("acme", {.entitlement = 4, .non_lendable = 5}),
            "the non-lendable part 5 is above the entitlement 4");
  EXPECT_EQ(Set("acme", {.entitlement = -1}),
            "quota numbers are whole devices, 0 to 1,000,000,000");
  EXPECT_EQ(Set("acme", {.entitlement = 8, .limit = 8, .non_lendable = 8}), "");
}

TEST_F(QuotaChecksTest, ProjectsOwnNoMoreThanTheirTenant) {
  EXPECT_EQ(Set("acme", {.entitlement = 8}), "");
  EXPECT_EQ(Set("acme", {.entitlement = 9}, true, "vision"),
            "the projects of \"acme\" would own 9 of sim together, the tenant owns 8");
  EXPECT_EQ(Set("acme", {.entitlement = 8}, false, "vision"), "");
  EXPECT_EQ(Set("acme", {.entitlement = 7}),
            "the projects of \"acme\" would own 8 of sim together, the tenant owns 7");
}

TEST_F(QuotaChecksTest, MoreThanThereIsOnlyIfItIsSaid) {
  EXPECT_EQ(Set("acme", {.entitlement = 30}), "");
  EXPECT_EQ(Set("beta", {.entitlement = 7}), "entitlements of sim would become 37 of 36 devices");
  EXPECT_EQ(Set("beta", {.entitlement = 7}, true), "");
}

TEST_F(QuotaChecksTest, BlocksAreAPartOfTheEntitlement) {
  EXPECT_EQ(Set("acme", {.entitlement = 8, .block_count = 3}),
            "3 whole nodes: 20 devices of sim at least, above the entitlement 8");
  // The smallest count: 4 and 8, then 8 more.
  EXPECT_EQ(Set("acme", {.entitlement = 19, .block_count = 3}, true),
            "3 whole nodes: 20 devices of sim at least, above the entitlement 19");
  EXPECT_EQ(Set("acme", {.entitlement = 20, .block_count = 3}), "");
  EXPECT_EQ(Set("acme", {.entitlement = 12, .block_count = 3}),
            "3 whole nodes: 20 devices of sim at least, above the entitlement 12");
  EXPECT_EQ(Set("acme", {.entitlement = 19, .block_level = TopologyLevel::kRack, .block_count = 2}),
            "2 whole racks: 20 devices of sim at least, above the entitlement 19");
}

TEST_F(QuotaChecksTest, BlocksAreThere) {
  EXPECT_EQ(Set("acme", {.entitlement = 36, .block_level = TopologyLevel::kRack, .block_count = 4}),
            "4 whole racks of sim cannot be owed: of 4 in all the center can give 3");
  EXPECT_EQ(
      Set("acme", {.entitlement = 36, .block_level = TopologyLevel::kRack, .block_count = 4}, true),
      "");
}

TEST_F(QuotaChecksTest, TenantsAreNotOwedTheSameBlocks) {
  EXPECT_EQ(Set("acme", {.entitlement = 20, .block_level = TopologyLevel::kRack, .block_count = 2}),
            "");
  EXPECT_EQ(
      Set("beta", {.entitlement = 16, .block_level = TopologyLevel::kRack, .block_count = 2}, true),
      "2 whole racks: 20 devices of sim at least, above the entitlement 16");
  EXPECT_EQ(Set("beta", {.entitlement = 16, .block_count = 4}),
            "4 whole nodes: 28 devices of sim at least, above the entitlement 16");
  EXPECT_EQ(Set("beta", {.entitlement = 16, .block_count = 2}), "");
  EXPECT_EQ(
      Set("beta", {.entitlement = 16, .block_level = TopologyLevel::kBlock, .block_count = 1}),
      "1 whole block: 36 devices of sim at least, above the entitlement 16");
}

TEST_F(QuotaChecksTest, WhatIsOwedAlreadyIsNotInTheWayOfAnotherEdit) {
  EXPECT_EQ(
      Set("acme", {.entitlement = 36, .block_level = TopologyLevel::kRack, .block_count = 4}, true),
      "");
  EXPECT_EQ(
      Set("acme",
          {.entitlement = 36, .weight = 3, .block_level = TopologyLevel::kRack, .block_count = 4}),
      "");
  EXPECT_EQ(Set("acme", {.entitlement = 36, .block_level = TopologyLevel::kRack, .block_count = 3}),
            "");
}

TEST_F(QuotaChecksTest, AProjectIsOwedNoBlocks) {
  EXPECT_EQ(Set("acme", {.entitlement = 8}), "");
  EXPECT_EQ(Set("acme", {.entitlement = 8, .block_count = 1}, false, "vision"),
            "a project cannot be owed whole blocks");
}

}  // namespace
}  // namespace berth
