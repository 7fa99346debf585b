// berth-shim --template RIGHTS ROOM: forks the supervisors of tasks, see shim_template.h.
// berth-shim --enter ...: runs one more command in a task, see task_entry.h.
// berth-shim --probe FOLDER: says which isolation works here, with FOLDER in a task's place.
// All are started by berth-agent.

#include <cstdio>
#include <cstring>

#include "agent/shim/probe.h"
#include "agent/shim/process_tree.h"
#include "agent/shim/sandbox.h"
#include "agent/shim/shim_template.h"
#include "agent/shim/task_entry.h"
#include <fcntl.h>
#include <sys/stat.h>

namespace {

bool IsSocket(int descriptor) {
  struct stat info {};
  return fstat(descriptor, &info) == 0 && S_ISSOCK(info.st_mode);
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
    berth::IgnoreSignals();
    return berth::EnterTask(order);
  }
  const bool is_template = argc == 4 && std::strcmp(argv[1], berth::kTemplateWord) == 0;
  if (!is_template || !IsSocket(berth::kTemplateDescriptor)) {
    std::fprintf(stderr, "berth-shim is started by berth-agent, which gives it its orders\n");
    return 2;
  }
  berth::IgnoreSignals();
  fcntl(berth::kTemplateDescriptor, F_SETFD, FD_CLOEXEC);
  if (std::strcmp(argv[2], berth::kDropRights) == 0 && !berth::DropBoundingSet()) {
    return 1;
  }
  // The words lie one after the other.
  const size_t words_size = static_cast<size_t>(argv[3] - argv[1]) + std::strlen(argv[3]) + 1;
  return berth::ServeTemplate({.begin = argv[1], .size = words_size});
}
