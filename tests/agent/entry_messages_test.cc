#include "agent/entry_messages.h"

#include <cerrno>
#include <csignal>
#include <cstdio>

#include <gtest/gtest.h>

namespace berth {
namespace {

TEST(EntryMessages, ATerminalHasASize) {
  v1::EnterJobRequest request;
  request.mutable_command()->add_argv("bash");
  EXPECT_EQ(ToEntryOrder(request).rows, 0);
  request.mutable_command()->set_terminal(true);
  request.mutable_command()->set_terminal_type("xterm");
  EntryOrder order = ToEntryOrder(request);
  EXPECT_EQ(order.rows, 24);
  EXPECT_EQ(order.columns, 80);
  EXPECT_EQ(order.terminal_type, "xterm");
  request.mutable_command()->mutable_size()->set_rows(50);
  request.mutable_command()->mutable_size()->set_columns(132);
  order = ToEntryOrder(request);
  EXPECT_EQ(order.rows, 50);
  EXPECT_EQ(order.columns, 132);
}

TEST(EntryMessages, AnEndIsACodeOrASignal) {
  EXPECT_EQ(EndOfExit(7 << 8).exit_code(), 7);
  EXPECT_EQ(EndOfExit(7 << 8).signal(), 0);
  EXPECT_EQ(EndOfExit(SIGKILL).signal(), SIGKILL);
}

TEST(EntryMessages, WhatCannotBeExecutedSaysSo) {
  EntryOrder order;
  order.argv = {"trian"};
  v1::ChannelEnd end = EndOfFailure({EntryEvent::Kind::kExecFailed, ENOENT, ""}, order);
  EXPECT_EQ(end.exit_code(), 127);
  EXPECT_TRUE(end.not_found());
  EXPECT_EQ(end.error(), "cannot execute trian: No such file or directory");
  end = EndOfFailure({EntryEvent::Kind::kExecFailed, EACCES, ""}, order);
  EXPECT_EQ(end.exit_code(), 126);
  EXPECT_FALSE(end.not_found());
}

TEST(EntryMessages, AStepThatFailedIsNamed) {
  EntryOrder order;
  order.port = 8080;
  const v1::ChannelEnd end =
      EndOfFailure({EntryEvent::Kind::kFailed, ECONNREFUSED, "connect to port"}, order);
  EXPECT_EQ(end.error(), "cannot connect to port 8080: Connection refused");
}

}  // namespace
}  // namespace berth
