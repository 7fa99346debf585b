// Real tasks in a real sandbox. Everything here needs root and the namespaces of the machine.

#include "agent/shim/sandbox.h"

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
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
    task.sandbox.namespaces = CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP;
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

TEST_F(SandboxTest, ADeviceFileMayHaveAnotherNameInside) {
  task.sandbox.devices = {"/dev/kmsg:/dev/davinci100", "/dev/no-such-device:/dev/davinci101"};
  EXPECT_EQ(Output("cd /dev && echo *; stat -c %t:%T davinci100"),
            "davinci100 fd full null ptmx pts random shm stderr stdin stdout tty urandom zero\n"
            "1:b\n");
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

// Whatever group it is in, the task is at the root of its own view, and nothing is named above.
TEST_F(SandboxTest, TheTaskIsAtTheRootOfItsControlGroups) {
  if (Facilities().find("cgroup-namespace\n") == std::string::npos) {
    GTEST_SKIP() << Facilities();
  }
  EXPECT_EQ(
      Output("cut -d: -f3- /proc/self/cgroup | sort -u; cut -d: -f3- /proc/1/cgroup | sort -u;"
             "[ $(readlink /proc/self/ns/cgroup) != " +
             std::filesystem::read_symlink("/proc/self/ns/cgroup").string() + " ] && echo other"),
      "/\n/\nother\n");
}

TEST_F(SandboxTest, TheTaskTellsOfItselfWhereNobodyElseLooks) {
  if (access("/usr/bin/python3", X_OK) != 0) {
    GTEST_SKIP() << "python3 is not installed";
  }
  const std::string tell =
      "import socket; s = socket.socket(socket.AF_UNIX); s.connect('/run/berth/notify.sock'); "
      "s.sendall(b'text=on'); s.shutdown(1); print(s.makefile().read().strip())";
  EXPECT_EQ(Output("/usr/bin/python3 -c \"" + tell +
                   "\"; cd /run/berth; echo *; stat -c '%a %u' notify.sock; stat -fc %T /dev/shm"),
            "ok\njob notify.sock output\n600 1900000777\ntmpfs\n");
  EXPECT_NE(access(dir.File(kNoticeSocketName).c_str(), F_OK), 0);
}

TEST_F(SandboxTest, SharedMemoryHasItsBound) {
  task.sandbox.shared_memory_bytes = 1 << 20;
  EXPECT_EQ(Output("head -c 900000 /dev/zero > /dev/shm/a && wc -c < /dev/shm/a;"
                   "head -c 900000 /dev/zero 2>&1 > /dev/shm/b | grep -o 'No space';"
                   "touch /dev/c 2>&1 | grep -o denied"),
            "900000\nNo space\ndenied\n");
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

// ---- Images ----

class ImageTest : public SandboxTest {
 protected:
  void SetUp() override {
    SandboxTest::SetUp();
    // What a shell needs: its program, and the libraries that it is linked with.
    image_ = image_dir_.File("root");
    const std::string copy =
        "mkdir -p " + image_ + "/bin && cp /bin/sh /bin/cat /bin/ls /bin/touch " + image_ +
        "/bin && for l in $(ldd /bin/sh /bin/cat /bin/ls /bin/touch | grep -o '/[^ ]*'); do "
        "case $l in *:) ;; *) mkdir -p " +
        image_ + "$(dirname $l) && cp -L $l " + image_ + "$l;; esac; done";
    ASSERT_EQ(std::system(copy.c_str()), 0);
    std::filesystem::create_directory(image_ + "/opt");
    std::ofstream(image_ + "/opt/mark") << "the image's";
    task.sandbox.image_root = image_;
  }

  TempDir image_dir_;
  std::string image_;
};

TEST_F(ImageTest, IsTheRootAndNothingOfTheHostIsThere) {
  EXPECT_EQ(Output("cat /opt/mark; echo; cd /; echo *; ls /root /home /usr/share 2>/dev/null"),
            "the image's\nbin dev etc lib lib64 opt proc run sys tmp var\n");
}

TEST_F(ImageTest, HasItsOwnFoldersDevicesAndProcesses) {
  EXPECT_EQ(Output("cd /proc; echo [0-9]*; ls /dev/null /dev/shm /run/berth; echo x > /dev/null; "
                   "touch /tmp/a /run/berth/output/b && echo wrote; ls /.berth-host 2>/dev/null; "
                   "touch /sys/a 2>/dev/null || echo sys is read-only"),
            "1 2\n/dev/null\n\n/dev/shm:\n\n/run/berth:\njob\nnotify.sock\noutput\nwrote\nsys is "
            "read-only\n");
  EXPECT_TRUE(std::filesystem::exists(dir.File("output") + "/b"));
}

// Another task of the same image finds it as it was.
TEST_F(ImageTest, WhatATaskChangesStaysItsOwn) {
  chmod((image_ + "/opt").c_str(), 0777);
  EXPECT_EQ(Output("touch /opt/new && ls /opt"), "mark\nnew\n");
  EXPECT_FALSE(std::filesystem::exists(image_ + "/opt/new"));
}

TEST_F(ImageTest, ShowsWhatTheOperatorNames) {
  TempDir data;
  chmod(data.path().c_str(), 0755);
  std::ofstream(data.File("set")) << "data\n";
  task.sandbox.image_mounts = {data.path(), "/etc/hostname", "/no/such/thing"};
  EXPECT_EQ(Output("cat " + data.File("set") + "; cat /etc/hostname > /dev/null && echo named"),
            "data\nnamed\n");
}

// Links of an image lead to its own files, not to the host's.
TEST_F(ImageTest, ItsLinksDoNotLeadOutside) {
  TempDir outside;
  std::filesystem::create_symlink(outside.path(), image_ + "/run");
  std::filesystem::create_symlink(outside.path() + "/tmp", image_ + "/tmp");
  RunShell("true");
  StartShim();
  AwaitEnd();
  EXPECT_TRUE(std::filesystem::is_empty(outside.path()));
}

}  // namespace
}  // namespace berth
