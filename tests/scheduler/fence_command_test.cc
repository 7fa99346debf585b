#include "scheduler/fence_command.h"

#include <fstream>
#include <optional>
#include <string>

#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include <gtest/gtest.h>

#include "tests/testing/temp_dir.h"
#include <signal.h>
#include <sys/stat.h>

namespace berth {
namespace {

class FenceCommandTest : public testing::Test {
 protected:
  std::string Script(const std::string& body) {
    const std::string path = dir_.File("fence");
    std::ofstream(path) << "#!/bin/sh\n" << body << "\n";
    chmod(path.c_str(), 0700);
    return path;
  }
  static std::string RunToEnd(FenceCommand& command, const std::string& node) {
    absl::Notification ended;
    std::string failure;
    command.Run(node, [&](const std::string& why) {
      failure = why;
      ended.Notify();
    });
    ended.WaitForNotification();
    return failure;
  }
  std::string Failure(const std::string& body, absl::Duration timeout = absl::Minutes(1)) {
    FenceCommand command({Script(body)}, timeout);
    return RunToEnd(command, "n1");
  }

  TempDir dir_;
};

TEST_F(FenceCommandTest, GetsTheNodeAsItsLastArgument) {
  FenceCommand command({Script("echo \"$1 $2 $3 $BERTH_NODE_NAME\" >&2; exit 7"), "-f", "a b"},
                       absl::Minutes(1));
  EXPECT_EQ(RunToEnd(command, "n17"), "exit code 7: -f a b n17 n17");
  EXPECT_EQ(RunToEnd(command, "n18"), "exit code 7: -f a b n18 n18");
}

TEST_F(FenceCommandTest, OnlyZeroIsSuccess) {
  EXPECT_EQ(Failure("echo done"), "");
  EXPECT_EQ(Failure("echo first; echo; echo 'no route to bmc'; echo; exit 3"),
            "exit code 3: no route to bmc");
  EXPECT_EQ(Failure("exit 1"), "exit code 1");
  EXPECT_EQ(Failure("kill -9 $$"), "signal 9");
  EXPECT_EQ(Failure("printf 'a\\033[2Jb' >&2; exit 1"), "exit code 1: a?[2Jb");
}

TEST_F(FenceCommandTest, SaysWhatCannotBeStarted) {
  FenceCommand command({dir_.File("missing")}, absl::Minutes(1));
  EXPECT_EQ(RunToEnd(command, "n1"),
            "cannot start " + dir_.File("missing") + ": No such file or directory");
}

TEST_F(FenceCommandTest, MuchOutputDoesNotStopIt) {
  EXPECT_EQ(Failure("head -c 1000000 /dev/zero | tr '\\0' x; echo; echo end; exit 2"),
            "exit code 2: end");
  EXPECT_EQ(Failure("exec >&- 2>&-; sleep 0.05; exit 4"), "exit code 4");
}

// A run that hangs is killed with all that it started.
TEST_F(FenceCommandTest, ARunThatHangsIsKilled) {
  const std::string pid_file = dir_.File("pid");
  EXPECT_EQ(Failure("sleep 1000 & echo $! > " + pid_file + "; wait", absl::Milliseconds(300)),
            "it did not end within 300ms");
  pid_t child = 0;
  std::ifstream(pid_file) >> child;
  ASSERT_GT(child, 0);
  while (kill(child, 0) == 0) {  // until somebody has reaped it
    std::ifstream stat("/proc/" + std::to_string(child) + "/stat");
    std::string ignored;
    std::string state;
    stat >> ignored >> ignored >> state;
    if (state == "Z") {
      break;
    }
    absl::SleepFor(absl::Milliseconds(1));
  }
}

TEST_F(FenceCommandTest, TheEndKillsWhatRunsAndTellsNobody) {
  bool is_told = false;
  {
    FenceCommand command({Script("sleep 1000")}, absl::Hours(1));
    command.Run("n1", [&is_told](const std::string&) { is_told = true; });
    command.Run("n2", [&is_told](const std::string&) { is_told = true; });
  }
  EXPECT_FALSE(is_told);
}

}  // namespace
}  // namespace berth
