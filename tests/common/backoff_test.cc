#include "common/backoff.h"

#include <gtest/gtest.h>

namespace berth {
namespace {

TEST(Backoff, DoublesUpToItsBoundAndStartsOver) {
  Backoff backoff(absl::Milliseconds(100), absl::Seconds(1), 7);
  absl::Duration bound = absl::Milliseconds(100);
  for (int i = 0; i < 10; ++i) {
    const absl::Duration wait = backoff.Next();
    EXPECT_GE(wait, bound / 2);
    EXPECT_LE(wait, bound);
    bound = std::min(bound * 2, absl::Seconds(1));
  }
  backoff.Reset();
  EXPECT_LE(backoff.Next(), absl::Milliseconds(100));
}

}  // namespace
}  // namespace berth
