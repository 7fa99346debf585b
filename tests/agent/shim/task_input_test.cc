// Real berth-shim processes, whose tasks read their standard input.

#include "agent/shim/task_input.h"

#include <cstring>
#include <string>

#include <gtest/gtest.h>

#include "agent/executor/shim_process.h"
#include "agent/shim/shim_protocol.h"
#include "tests/agent/shim/shim_harness.h"
#include <fcntl.h>
#include <sys/socket.h>

namespace berth {
namespace {

class TaskInputTest : public ShimTest {
 protected:
  TaskInputTest() { task.open_stdin = 1; }

  // The end for writing, as the shim gives it; -1: it gives none.
  int Open() const {
    const int folder = open(dir.path().c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
    const auto connection = ConnectToShim(folder, kInputSocketName);
    close(folder);
    char byte = 0;
    iovec data{&byte, 1};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
    msghdr message{};
    message.msg_iov = &data;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof(control);
    if (!connection.ok() || recvmsg(connection->get(), &message, MSG_CMSG_CLOEXEC) != 1) {
      return -1;
    }
    int given = -1;
    std::memcpy(&given, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(given));
    return given;
  }

  void Pass(const std::string& text) const {
    const int input = Open();
    ASSERT_GE(input, 0) << std::strerror(errno);
    ASSERT_EQ(write(input, text.data(), text.size()), static_cast<ssize_t>(text.size()));
    close(input);
  }
  void End() { Send({.kind = AgentCommand::Kind::kEndInput}); }
};

TEST_F(TaskInputTest, WritersComeAndGoUntilItIsEnded) {
  RunShell("while read -r line; do echo \"got $line\"; done; echo over");
  StartShim();
  ExpectStarted();
  Pass("one\n");
  AwaitLine("got one");
  Pass("two\n");
  AwaitLine("got two");
  EXPECT_EQ(Log().find("over"), std::string::npos);
  Pass("three\n");
  End();
  ASSERT_TRUE(AwaitEnd().has_value());
  EXPECT_EQ(Log(), "got one\ngot two\ngot three\nover\n");
}

// Without an agent it stays open; the next agent's writers find it.
TEST_F(TaskInputTest, OutlivesTheAgent) {
  RunShell("read -r line; echo \"got $line\"; cat; echo over");
  StartShim();
  ExpectStarted();
  CloseAgent();
  Pass("one\n");
  AwaitLine("got one");
  FindShim();
  Pass("two\n");
  End();
  ASSERT_TRUE(AwaitEnd().has_value());
  EXPECT_EQ(Log(), "got one\ntwo\nover\n");
}

TEST_F(TaskInputTest, OnceEndedItCannotBeFound) {
  RunShell("cat; echo over; sleep 1000");
  StartShim();
  ExpectStarted();
  End();
  End();
  AwaitLine("over");
  EXPECT_LT(Open(), 0);
}

TEST_F(TaskInputTest, WhoWritesLearnsThatNobodyReads) {
  signal(SIGPIPE, SIG_IGN);
  RunShell("exec < /dev/null; echo deaf; sleep 1000");
  StartShim();
  ExpectStarted();
  AwaitLine("deaf");
  const int input = Open();
  ASSERT_GE(input, 0);
  EXPECT_LT(write(input, "x", 1), 0);
  EXPECT_EQ(errno, EPIPE);
  close(input);
}

// What nobody reads stays within the kernel's bound.
TEST_F(TaskInputTest, ATaskThatDoesNotReadHoldsTheWriterBack) {
  RunShell("sleep 1000");
  StartShim();
  ExpectStarted();
  const int input = Open();
  const std::string bytes(1 << 16, 'x');
  ssize_t passed = 0;
  for (int i = 0; i < 100; ++i) {
    const ssize_t size = write(input, bytes.data(), bytes.size());
    passed += size < 0 ? 0 : size;
  }
  close(input);
  EXPECT_LE(passed, 1 << 20);
  SendStop(1, 0);
  EXPECT_TRUE(AwaitEnd().has_value());
}

TEST_F(TaskInputTest, TheOtherRanksReadNothing) {
  AddRank();
  RunShell("cat; echo over");
  StartShim();
  ExpectStarted();
  AwaitLine("over", 1);
  EXPECT_EQ(Log(0), "");
  Pass("for the first\n");
  End();
  ASSERT_TRUE(AwaitEnd().has_value());
  EXPECT_EQ(Log(0), "for the first\nover\n");
  EXPECT_EQ(Log(1), "over\n");
}

// Also when it is over already.
TEST_F(TaskInputTest, StandardInputCanBeOpenedAgainAndIsOpenOnce) {
  RunShell(
      "ls -l /proc/self/fd | grep -cF \"$(readlink /proc/self/fd/0)\";"
      "cat < /dev/stdin; cat < /dev/stdin");
  StartShim();
  ExpectStarted();
  Pass("again\n");
  End();
  ASSERT_TRUE(AwaitEnd().has_value());
  EXPECT_EQ(Log(), "1\nagain\n");
}

TEST_F(TaskInputTest, WithoutItNobodyFindsAny) {
  task.open_stdin = 0;
  RunShell("cat; echo over; sleep 1000");
  StartShim();
  ExpectStarted();
  AwaitLine("over");
  End();
  EXPECT_LT(Open(), 0);
}

}  // namespace
}  // namespace berth
