// Real tasks under a real berth-shim that tell of themselves.

#include "agent/shim/notice_socket.h"

#include <cstring>
#include <string>

#include <gtest/gtest.h>

#include "tests/agent/shim/shim_harness.h"
#include <sys/stat.h>

namespace berth {
namespace {

class NoticeSocketTest : public ShimTest {
 protected:
  // Python in the task: tell(TEXT) returns the answer.
  void RunPython(const std::string& script) {
    if (access("/usr/bin/python3", X_OK) != 0) {
      GTEST_SKIP() << "python3 is not installed";
    }
    task.argv = {"/usr/bin/python3", "-uc",
                 "import socket, time, os\n"
                 "def tell(text):\n"
                 "  s = socket.socket(socket.AF_UNIX)\n"
                 "  s.connect('notify.sock')\n"
                 "  s.sendall(text.encode())\n"
                 "  s.shutdown(socket.SHUT_WR)\n"
                 "  return s.makefile().read().strip()\n" +
                     script};
  }
};

TEST_F(NoticeSocketTest, TheAgentHearsWhatTheTaskTells) {
  RunPython(
      "print(tell('checkpoint=step=7\\nprogress=0.5'))\nprint(tell('text=on'))\n"
      "time.sleep(1000)");
  StartShim();
  ExpectStarted();
  auto notice = ReceiveNotice();
  ASSERT_TRUE(notice.has_value());
  EXPECT_STREQ(notice->checkpoint, "step=7");
  EXPECT_EQ(notice->progress_milli, 500);
  EXPECT_LE(notice->checkpoint_at_ns, BootTimeNs());
  notice = ReceiveNotice();
  ASSERT_TRUE(notice.has_value());
  EXPECT_STREQ(notice->text, "on");
  EXPECT_STREQ(notice->checkpoint, "step=7");
  AwaitLine("ok");
}

TEST_F(NoticeSocketTest, ARestartedAgentHearsItAgain) {
  RunPython("print(tell('checkpoint=step=7'))\ntime.sleep(1000)");
  StartShim();
  ExpectStarted();
  AwaitLine("ok");
  CloseAgent();
  FindShim();
  Send({});
  const auto notice = ReceiveNotice();
  ASSERT_TRUE(notice.has_value());
  EXPECT_STREQ(notice->checkpoint, "step=7");
  EXPECT_EQ(notice->count, 1);
}

TEST_F(NoticeSocketTest, TheLastOneIsInTheExitRecordEvenIfNobodyWaitedForTheAnswer) {
  RunPython(
      "s = socket.socket(socket.AF_UNIX)\ns.connect('notify.sock')\n"
      "s.sendall(b'checkpoint=last\\n')\nos._exit(3)");
  StartShim();
  const auto record = AwaitEnd();
  ASSERT_TRUE(record.has_value());
  EXPECT_EQ(record->exit_code, 3);
  EXPECT_STREQ(record->notice.checkpoint, "last");
  EXPECT_GE(record->notice.checkpoint_at_ns, 0);
  EXPECT_LT(record->notice.checkpoint_at_ns, int64_t{kPatienceMs} * kNsPerMs);
  EXPECT_NE(access(dir.File(kNoticeSocketName).c_str(), F_OK), 0);
}

TEST_F(NoticeSocketTest, NonsenseIsAnsweredAndChangesNothing) {
  RunPython("print(tell('hello'))\nprint(tell(''))\nprint(tell('x' * 100000))");
  StartShim();
  const auto record = AwaitEnd();
  ASSERT_TRUE(record.has_value());
  EXPECT_EQ(record->notice.count, 0);
  EXPECT_NE(Log().find("refused: a line is checkpoint=NAME"), std::string::npos) << Log();
  EXPECT_NE(Log().find("refused: it is empty"), std::string::npos) << Log();
}

// A flood costs the task its own time, and the supervisor answers as before.
TEST_F(NoticeSocketTest, AFloodIsSlowedAndTheAgentIsAnswered) {
  RunPython(
      "hung = [socket.socket(socket.AF_UNIX) for i in range(3)]\n"
      "for s in hung: s.connect('notify.sock')\n"
      "print('ready')\n"
      "while True: tell('text=' + 'x' * 2000)");
  StartShim();
  ExpectStarted();
  AwaitLine("ready");
  const int64_t begin = BootTimeNs();
  for (int i = 0; i < 20; ++i) {
    ASSERT_EQ(AskStatus(), 1);
  }
  // The burst and three seconds: what is taken is bounded, however fast it is told.
  int64_t count = 0;
  while (BootTimeNs() - begin < 3000 * kNsPerMs) {
    const auto notice = ReceiveNotice();
    ASSERT_TRUE(notice.has_value());
    count = notice->count;
  }
  const int64_t seconds = (BootTimeNs() - begin) / (1000 * kNsPerMs);
  EXPECT_LE(count, NoticeSocket::kBurst + (seconds + 2) * NoticeSocket::kPerSecond);
  SendStop(1, 0);
  const auto record = AwaitEnd();
  ASSERT_TRUE(record.has_value());
  EXPECT_EQ(record->stop_reason, 1);
}

TEST_F(NoticeSocketTest, OnlyTheTasksUserMayConnect) {
  if (geteuid() != 0) {
    GTEST_SKIP() << "needs root";
  }
  task.user_id = 61234;
  task.group_id = 61234;
  ASSERT_EQ(chmod(dir.path().c_str(), 0777), 0);
  RunPython("print(tell('text=mine'))\ntime.sleep(1000)");
  StartShim();
  ExpectStarted();
  AwaitLine("ok");
  struct stat info {};
  ASSERT_EQ(stat(dir.File(kNoticeSocketName).c_str(), &info), 0);
  EXPECT_EQ(info.st_uid, 61234U);
  EXPECT_EQ(info.st_mode & 0777U, 0600U);
  // Root may connect by the file's mode, but is not the one who speaks there.
  const int other = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::snprintf(address.sun_path, sizeof(address.sun_path), "%s",
                dir.File(kNoticeSocketName).c_str());
  ASSERT_EQ(connect(other, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  char answer[64];
  EXPECT_LE(recv(other, answer, sizeof(answer), 0), 0);
  close(other);
  SendStop(1, 0);
  const auto record = AwaitEnd();
  ASSERT_TRUE(record.has_value());
  EXPECT_EQ(record->notice.count, 1);
}

}  // namespace
}  // namespace berth
