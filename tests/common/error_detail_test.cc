#include "common/error_detail.h"

#include <gtest/gtest.h>

namespace berth {
namespace {

TEST(ErrorDetail, IsReadBackFromTheStatus) {
  const ErrorDetail detail{
      .code = "B2107",
      .why = {"first why", "  | indented"},
      .fix = {"do this"          },
      .retryable = true,
      .refused_by_entitlement = true
  };
  const auto found = FindDetail(WithDetail(absl::NotFoundError("x"), detail));
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->code, detail.code);
  EXPECT_EQ(found->why, detail.why);
  EXPECT_EQ(found->fix, detail.fix);
  EXPECT_TRUE(found->retryable);
  EXPECT_TRUE(found->refused_by_entitlement);
}

TEST(ErrorDetail, IsAbsentFromAPlainStatus) {
  EXPECT_FALSE(FindDetail(absl::NotFoundError("x")).has_value());
}

TEST(MakeError, LeavesOutWhatIsEmpty) {
  const auto detail = FindDetail(MakeError(
      absl::StatusCode::kInternal, {.code = "B9001", .message = "m", .why = "", .fix = ""}));
  ASSERT_TRUE(detail.has_value());
  EXPECT_TRUE(detail->why.empty());
  EXPECT_TRUE(detail->fix.empty());
  EXPECT_FALSE(detail->retryable);
}

}  // namespace
}  // namespace berth
