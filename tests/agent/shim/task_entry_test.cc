#include "agent/shim/task_entry.h"

#include <gtest/gtest.h>

namespace berth {
namespace {

TEST(EntryOrderTest, ComesBackAsItWasWritten) {
  const EntryOrder order{
      .folder = "/data/jobs/1/0",
      .rank = 3,
      .init = 4711,
      .port = 0,
      .rows = 24,
      .columns = 80,
      .terminal_type = "xterm",
      .argv = {"sh", "-c", "", "--enter"}
  };
  EntryOrder back;
  ASSERT_TRUE(DecodeEntryOrder(EncodeEntryOrder(order), back));
  EXPECT_EQ(EncodeEntryOrder(back), EncodeEntryOrder(order));
  EXPECT_EQ(back.argv, order.argv);
  EXPECT_EQ(back.init, 4711);
}

TEST(EntryOrderTest, OtherWordsAreNone) {
  EntryOrder order;
  EXPECT_FALSE(DecodeEntryOrder({}, order));
  EXPECT_FALSE(DecodeEntryOrder({"/data/jobs/1/0"}, order));
  EXPECT_FALSE(DecodeEntryOrder({"--probe", "/tmp", "0", "1", "0", "0", "0", "", "true"}, order));
  // Neither a command nor a port.
  EXPECT_FALSE(DecodeEntryOrder({"--enter", "/tmp", "0", "1", "0", "0", "0", ""}, order));
}

}  // namespace
}  // namespace berth
