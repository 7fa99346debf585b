#include "scheduler/rpc/channel_search.h"

#include <gtest/gtest.h>

namespace berth {
namespace {

TEST(CheckEnterRequest, RankZeroAloneReadsTheStandardInput) {
  v1::EnterJobRequest request;
  EXPECT_FALSE(CheckEnterRequest(request).ok());
  request.mutable_input();
  for (const int rank : {-1, 0}) {
    request.set_rank(rank);
    EXPECT_TRUE(CheckEnterRequest(request).ok()) << rank;
  }
  for (const int rank : {-2, 1}) {
    request.set_rank(rank);
    EXPECT_TRUE(absl::IsInvalidArgument(CheckEnterRequest(request))) << rank;
  }
}

}  // namespace
}  // namespace berth
