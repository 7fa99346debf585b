#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/shim/shim_protocol.h"
#include "agent/shim/stop_file.h"
#include "proto/agent_api.pb.h"

namespace berth {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(StopWords, EveryReasonOfTheProtocolHasOne) {
  for (int reason = 0; reason < v1::StopReason_ARRAYSIZE; ++reason) {
    ASSERT_TRUE(v1::StopReason_IsValid(reason));
    EXPECT_THAT(FormatStopNotice({.reason = reason}), Not(HasSubstr("unknown"))) << reason;
  }
  EXPECT_THAT(FormatStopNotice({.reason = v1::StopReason_ARRAYSIZE}), HasSubstr("unknown"));
}

TEST(StopWords, SayWhoEndsIt) {
  EXPECT_THAT(FormatStopNotice({.reason = v1::STOP_REASON_DISK_LIMIT}),
              HasSubstr("\"disk-limit\""));
  EXPECT_THAT(FormatStopNotice({.reason = v1::STOP_REASON_SHRINK}), HasSubstr("\"preempted\""));
  EXPECT_THAT(FormatStopNotice({.reason = kStopNodeFault}), HasSubstr("\"node-fault\""));
}

}  // namespace
}  // namespace berth
