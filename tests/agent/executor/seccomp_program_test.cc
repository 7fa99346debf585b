#include "agent/executor/seccomp_program.h"

#include <cerrno>
#include <string>

#include <gtest/gtest.h>

#include "agent/shim/sandbox.h"
#include <linux/sched.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace berth {
namespace {

// errno of `call` in a child under the filter; 0: it succeeded.
template <typename Call>
int ErrnoUnderFilter(const Call& call) {
  const auto program = MakeSeccompProgram();
  EXPECT_TRUE(program.ok()) << program.status();
  const pid_t child = fork();
  if (child == 0) {
    TaskFile task;
    task.sandbox.seccomp_program = *program;
    if (DropPrivileges(task) != nullptr) {
      _exit(200);
    }
    _exit(call() < 0 ? errno : 0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

TEST(SeccompProgram, IsSmall) {
  const auto program = MakeSeccompProgram();
  ASSERT_TRUE(program.ok()) << program.status();
  EXPECT_EQ(program->size() % 8, 0u);
  EXPECT_LT(program->size(), 4096u);
}

TEST(SeccompProgram, RefusesWhatChangesTheMachine) {
  for (const long number : {SYS_mount, SYS_umount2, SYS_pivot_root, SYS_setns, SYS_bpf, SYS_keyctl,
                            SYS_add_key, SYS_perf_event_open, SYS_userfaultfd, SYS_kexec_load,
                            SYS_reboot, SYS_init_module, SYS_settimeofday, SYS_open_by_handle_at}) {
    EXPECT_EQ(ErrnoUnderFilter([number] { return syscall(number, 0, 0, 0, 0, 0, 0); }), EPERM)
        << number;
  }
}

TEST(SeccompProgram, HidesWhatLibrariesCanDoWithout) {
  for (const long number : {SYS_io_uring_setup, SYS_clone3}) {
    EXPECT_EQ(ErrnoUnderFilter([number] { return syscall(number, 0, 0, 0, 0, 0, 0); }), ENOSYS)
        << number;
  }
}

TEST(SeccompProgram, RefusesNewUserNamespaces) {
  EXPECT_EQ(ErrnoUnderFilter([] { return unshare(CLONE_NEWUSER); }), EPERM);
  EXPECT_EQ(ErrnoUnderFilter([] {
              return syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, nullptr, nullptr, nullptr, 0);
            }),
            EPERM);
}

TEST(SeccompProgram, RefusesDeviceFilesButNotPipes) {
  EXPECT_EQ(ErrnoUnderFilter([] { return mknod("/dev/shm/berth-test", S_IFCHR | 0600, 0x103); }),
            EPERM);
  EXPECT_EQ(ErrnoUnderFilter([] { return mknod("/dev/shm/berth-test", S_IFBLK | 0600, 0x700); }),
            EPERM);
  const std::string fifo = "/dev/shm/berth-test-fifo-" + std::to_string(getpid());
  EXPECT_EQ(ErrnoUnderFilter([&] { return mknod(fifo.c_str(), S_IFIFO | 0600, 0); }), 0);
  unlink(fifo.c_str());
}

TEST(SeccompProgram, RefusesPacketSocketsButNotTheUsual) {
  EXPECT_EQ(ErrnoUnderFilter([] { return socket(AF_PACKET, SOCK_RAW, 0); }), EPERM);
  EXPECT_EQ(ErrnoUnderFilter([] { return socket(AF_ALG, SOCK_SEQPACKET, 0); }), EPERM);
  EXPECT_EQ(ErrnoUnderFilter([] { return socket(AF_INET, SOCK_STREAM, 0); }), 0);
  EXPECT_EQ(ErrnoUnderFilter([] { return socket(AF_UNIX, SOCK_STREAM, 0); }), 0);
  // Libraries list the network interfaces by it.
  EXPECT_EQ(ErrnoUnderFilter([] { return socket(AF_NETLINK, SOCK_RAW, 0); }), 0);
}

TEST(SeccompProgram, LetsProcessesAndThreadsBeMade) {
  EXPECT_EQ(ErrnoUnderFilter([] {
              const pid_t child = fork();
              if (child == 0) {
                _exit(0);
              }
              return waitpid(child, nullptr, 0) == child ? 0 : -1;
            }),
            0);
}

}  // namespace
}  // namespace berth
