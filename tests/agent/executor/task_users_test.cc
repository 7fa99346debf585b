#include "agent/executor/task_users.h"

#include <set>
#include <string>

#include <gtest/gtest.h>

namespace berth {
namespace {

TEST(TaskUsers, EveryJobOfAnUnmappedTenantHasAUserOfItsOwn) {
  const TaskUsers users;
  std::set<int64_t> numbers;
  for (uint64_t job = 1; job <= 1000; ++job) {
    const TaskOwner owner = FindTaskOwner(users, "acme", "ann", job);
    EXPECT_EQ(owner.user_id, owner.group_id);
    EXPECT_GE(owner.user_id, users.per_job.first);
    EXPECT_LE(owner.user_id, users.per_job.last);
    numbers.insert(owner.user_id);
  }
  EXPECT_EQ(numbers.size(), 1000u);
}

TEST(TaskUsers, AJobNumberBeyondTheRangeWrapsInsideIt) {
  TaskUsers users;
  users.per_job = {5000, 5009};
  EXPECT_EQ(FindTaskOwner(users, "acme", "ann", 123456789012345).user_id, 5005);
}

TEST(TaskUsers, AMappedTenantsMembersStayInItsRangeOnEveryNode) {
  TaskUsers users;
  users.of_tenant["acme"] = {70000, 70099};
  const int64_t ann = FindTaskOwner(users, "acme", "ann", 1).user_id;
  EXPECT_EQ(FindTaskOwner(users, "acme", "ann", 2).user_id, ann);
  EXPECT_NE(FindTaskOwner(users, "acme", "bob", 2).user_id, ann);
  for (const char* name : {"ann", "bob", "carol", ""}) {
    const int64_t number = FindTaskOwner(users, "acme", name, 7).user_id;
    EXPECT_GE(number, 70000);
    EXPECT_LE(number, 70099);
  }
  EXPECT_GE(FindTaskOwner(users, "globex", "ann", 1).user_id, users.per_job.first);
}

TEST(TaskUsers, RangesAreRead) {
  const auto range = ParseUserRange("70000-70099");
  ASSERT_TRUE(range.ok());
  EXPECT_EQ(range->first, 70000);
  EXPECT_EQ(range->last, 70099);
  EXPECT_EQ(ParseUserRange("70000")->last, 70000);
}

// Root, the system's users and nobody never run a task.
TEST(TaskUsers, ForbiddenNumbersAreRefused) {
  for (const char* text : {"0", "0-70000", "999", "65534", "65000-66000", "70000-4294967295", "-5",
                           "70099-70000", "", "a-b", "70000-", "70000-70099-70199"}) {
    EXPECT_FALSE(ParseUserRange(text).ok()) << text;
  }
}

}  // namespace
}  // namespace berth
