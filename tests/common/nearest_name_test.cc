#include "common/nearest_name.h"

#include <gtest/gtest.h>

namespace berth {
namespace {

TEST(NearestName, FindsATypingError) {
  const std::vector<std::string> names = {"submit", "show", "cancel", "logs"};
  EXPECT_EQ(NearestName("sumbit", names), "submit");
  EXPECT_EQ(NearestName("cancle", names), "cancel");
  EXPECT_EQ(NearestName("log", names), "logs");
}

TEST(NearestName, FindsTheEndOfAnUnfinishedWord) {
  EXPECT_EQ(NearestName("dev", {"nodes", "devices"}), "devices");
}

TEST(NearestName, IsSilentWhenNothingIsNear) {
  EXPECT_EQ(NearestName("kubernetes", {"submit", "show"}), "");
  EXPECT_EQ(NearestName("", {"submit"}), "");
  EXPECT_EQ(NearestName(std::string(100, 's'), {"submit"}), "");
}

}  // namespace
}  // namespace berth
