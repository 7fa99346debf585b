#include "scheduler/core/slot_map.h"

#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "scheduler/core/ids.h"

namespace berth {
namespace {

using Names = SlotMap<GroupId, std::string>;

std::vector<std::pair<uint64_t, std::string>> All(const Names& names) {
  std::vector<std::pair<uint64_t, std::string>> all;
  for (const auto& [id, name] : names) {
    all.emplace_back(id.value(), name);
  }
  return all;
}

TEST(SlotMapTest, IdsAreSmallAndGivenAgain) {
  Names names;
  EXPECT_TRUE(names.empty());
  EXPECT_FALSE(names.contains(GroupId()));
  const GroupId a = names.Add("a");
  const GroupId b = names.Add("b");
  const GroupId c = names.Add("c");
  EXPECT_TRUE(a) << "0 is no id";
  names.erase(b);
  EXPECT_FALSE(names.contains(b));
  EXPECT_EQ(names.size(), 2U);
  EXPECT_EQ(All(names), (std::vector<std::pair<uint64_t, std::string>>{
                            {a.value(), "a"},
                            {c.value(), "c"}
  }));
  const GroupId d = names.Add("d");
  EXPECT_EQ(d, b);
  EXPECT_EQ(names.at(d), "d");
  EXPECT_LT(c.value(), names.id_bound());
}

TEST(SlotMapTest, ACopyIsOnItsOwn) {
  Names names;
  const GroupId a = names.Add("a");
  Names copy = names;
  copy.at(a) = "b";
  copy.erase(a);
  EXPECT_EQ(names.at(a), "a");
  EXPECT_TRUE(copy.empty());
}

}  // namespace
}  // namespace berth
