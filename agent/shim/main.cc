// berth-shim: the supervisor of one task. Started by berth-agent with a socket as standard input.

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "agent/shim/supervisor.h"
#include "agent/shim/task_init.h"
#include <fcntl.h>
#include <linux/close_range.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

namespace {

constexpr char kVersion[] = "berth-shim 0.1.0";
constexpr int kExitUsage = 2;

bool IsSocket(int file) {
  struct stat facts {};
  return fstat(file, &facts) == 0 && S_ISSOCK(facts.st_mode);
}

// The control socket leaves the place where a task's input would be. Returns: its new number.
int MoveControlSocket() {
  close_range(STDERR_FILENO + 1, ~0U, 0);
  const int control = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
  const int empty = open("/dev/null", O_RDWR);
  if (control < 0 || empty < 0 || dup2(empty, STDIN_FILENO) < 0) {
    return -1;
  }
  close(empty);
  return control;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 2 && std::strcmp(argv[1], "--version") == 0) {
    std::puts(kVersion);
    return EXIT_SUCCESS;
  }
  if (argc == 2 && std::strcmp(argv[1], "--probe") == 0) {
    return berth::shim::CanMakePidNamespace() ? EXIT_SUCCESS : EXIT_FAILURE;
  }
  if (!IsSocket(STDIN_FILENO)) {
    std::fputs("berth-shim is started by berth-agent, one for every task; it is of no use alone\n",
               stderr);
    return kExitUsage;
  }
  umask(077);
  const int control = MoveControlSocket();
  if (control < 0) {
    return EXIT_FAILURE;
  }
  return berth::shim::Supervisor(control).Run();
}
