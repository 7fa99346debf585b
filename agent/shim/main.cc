// berth-shim FOLDER: supervises the task described in FOLDER. Started by berth-agent.
// berth-shim --enter ...: runs one more command in a task, see task_entry.h.
// berth-shim --probe FOLDER: says which isolation works here, with FOLDER in a task's place.

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "agent/shim/probe.h"
#include "agent/shim/task_entry.h"
#include "agent/shim/task_shim.h"
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

namespace {

// A stray signal, as from a terminal, must not end a task.
void IgnoreSignals() {
  for (const int number : {SIGHUP, SIGINT, SIGTERM, SIGQUIT, SIGPIPE, SIGUSR1, SIGUSR2}) {
    signal(number, SIG_IGN);
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 2 && std::strcmp(argv[1], "--version") == 0) {
    std::printf("berth-shim 0.1.0\n");
    return 0;
  }
  if (argc == 3 && std::strcmp(argv[1], "--probe") == 0) {
    return berth::ProbeFacilities(argv[2]);
  }
  berth::EntryOrder order;
  if (berth::DecodeEntryOrder({argv + 1, argv + argc}, order)) {
    IgnoreSignals();
    return berth::EnterTask(order);
  }
  if (argc != 2) {
    std::fprintf(stderr, "berth-shim is started by berth-agent: berth-shim FOLDER\n");
    return 2;
  }
  IgnoreSignals();
  const int folder = open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder < 0 || fchdir(folder) != 0) {
    std::fprintf(stderr, "berth-shim: cannot enter %s: %s\n", argv[1], std::strerror(errno));
    return 1;
  }
  struct stat info {};
  const bool has_agent = fstat(berth::kAgentDescriptor, &info) == 0 && S_ISSOCK(info.st_mode);
  if (has_agent) {
    fcntl(berth::kAgentDescriptor, F_SETFD, FD_CLOEXEC);
  }
  return berth::TaskShim(folder, has_agent ? berth::kAgentDescriptor : -1).Run();
}
