// Real tasks in a real sandbox. Everything here needs root and the namespaces of the machine.

#include "agent/shim/sandbox.h"

#include <array>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>

#include <gtest/gtest.h>

#include "tests/agent/shim/shim_harness.h"
#include <sched.h>
#include <sys/stat.h>

namespace berth {
namespace {

constexpr int64_t kUser = 1900000777;

class SandboxTest : public ShimTest {
 protected:
  void SetUp() override {
    mkdir(kPrivateFolder, 0755);
    chmod(dir.path().c_str(), 0711);  // as a task's folder is
    for (const char* name : {"tmp", "work", "output"}) {
      std::filesystem::create_directory(dir.File(name));
      ASSERT_TRUE(geteuid() != 0 || chown(dir.File(name).c_str(), kUser, kUser) == 0);
    }
    if (Facilities().find("private-mounts\n") == std::string::npos) {
      GTEST_SKIP() << Facilities();
    }
    task.user_id = kUser;
    task.group_id = kUser;
    task.working_directory = std::string(kShownTaskFolder) + "/work";
    task.sandbox.namespaces = CLONE_NEWIPC | CLONE_NEWUTS;
    task.sandbox.private_mounts = 1;
    task.sandbox.drop_capabilities = 1;
    task.sandbox.task_folder = dir.path();
    task.sandbox.output_folder = dir.File("output");
  }

  std::string Facilities() const {
    const std::string command = ShimProgram() + " --probe " + dir.path();
    const std::unique_ptr<FILE, int (*)(FILE*)> pipe(popen(command.c_str(), "r"), &pclose);
    std::array<char, 4096> text{};
    const size_t size = fread(text.data(), 1, text.size(), pipe.get());
    return {text.data(), size};
  }

  // What the script writes.
  std::string Output(const std::string& script) {
    RunShell(script);
    StartShim();
    EXPECT_TRUE(AwaitEnd().has_value());
    return Log();
  }
};

TEST_F(SandboxTest, TheTaskIsNobodyAndHasNoPrivilege) {
  EXPECT_EQ(Output("id -u; id -g; grep -E '^(Groups|Cap|NoNew)' /proc/self/status; ulimit -c"),
            "1900000777\n1900000777\nGroups:\t \nCapInh:\t0000000000000000\n"
            "CapPrm:\t0000000000000000\nCapEff:\t0000000000000000\nCapBnd:\t0000000000000000\n"
            "CapAmb:\t0000000000000000\nNoNewPrivs:\t1\n0\n");
}

TEST_F(SandboxTest, TemporaryFilesAreTheTasksOwn) {
  EXPECT_EQ(Output("ls -A /tmp /var/tmp /dev/shm; echo mine > /tmp/file; cat /var/tmp/file"),
            "/dev/shm:\n\n/tmp:\n\n/var/tmp:\nmine\n");
  EXPECT_EQ(ReadText(dir.File("tmp/file")), "mine\n");
}

TEST_F(SandboxTest, DevHoldsTheUsualFilesAndTheGivenOnes) {
  // Two that every kernel has stand for a task's device and for another's.
  task.sandbox.devices = {"/dev/kmsg", "/dev/no-such-device"};
  EXPECT_EQ(Output("cd /dev && echo *; echo x > null; head -c 3 zero | wc -c; echo a >&2"),
            "fd full kmsg null ptmx pts random shm stderr stdin stdout tty urandom zero\n3\na\n");
}

TEST_F(SandboxTest, AFolderOfDevIsKeptForAFileInIt) {
  task.sandbox.devices = {"/dev/net/tun"};
  if (access("/dev/net/tun", F_OK) != 0) {
    GTEST_SKIP() << "no /dev/net/tun";
  }
  EXPECT_EQ(Output("ls /dev/net"), "tun\n");
}

TEST_F(SandboxTest, TheKernelsSettingsCannotBeWritten) {
  EXPECT_EQ(
      Output("(echo 1 > /sys/kernel/mm/transparent_hugepage/enabled) 2>&1 | grep -o Read-only;"
             "(echo 1 > /proc/sys/kernel/panic) 2>&1 | grep -oE 'Permission|Read-only'"),
      "Read-only\nPermission\n");
}

TEST_F(SandboxTest, TheTasksFolderIsShownAndTheRestIsNot) {
  EXPECT_EQ(Output("pwd; echo out > /run/berth/output/result; ls -A " + dir.path() +
                   " 2>&1 | wc -l;"
                   "ls /run/berth/job 2>&1 | grep -c denied"),
            "/run/berth/job/work\n1\n1\n");
  EXPECT_EQ(ReadText(dir.File("output/result")), "out\n");
}

TEST_F(SandboxTest, NeitherTheInitNorTheHostCanBeTraced) {
  EXPECT_EQ(Output("readlink /proc/1/exe || echo closed; kill -9 1; kill -0 1 && echo lives; "
                   "ls /proc | grep -cE '^[0-9]+$' | grep -qE '^[1-6]$' && echo few"),
            "closed\nlives\nfew\n");
}

TEST_F(SandboxTest, AFacilityThatFailsEndsTheTaskAndSaysWhich) {
  task.sandbox.groups = {dir.File("no-such-group")};
  RunShell("echo ran");
  StartShim();
  const auto record = AwaitEnd();
  ASSERT_TRUE(record.has_value());
  EXPECT_EQ(record->exec_failed, 1);
  EXPECT_NE(record->message.find("control groups"), std::string::npos) << record->message;
  EXPECT_EQ(Log(), "");
}

TEST_F(SandboxTest, TheHostsMountsStayAsTheyWere) {
  const std::string before = ReadText("/proc/self/mountinfo");
  Output("true");
  EXPECT_EQ(ReadText("/proc/self/mountinfo"), before);
}

}  // namespace
}  // namespace berth
