#include "agent/shim/process_tree.h"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

namespace berth {
namespace {

constexpr int kIgnoredSignals[] = {SIGHUP, SIGINT, SIGTERM, SIGQUIT, SIGPIPE, SIGUSR1, SIGUSR2};

// The parent of every process that can be seen.
std::map<pid_t, pid_t> ReadParents() {
  std::map<pid_t, pid_t> parents;
  DIR* proc = opendir("/proc");
  if (proc == nullptr) {
    return parents;
  }
  while (const dirent* entry = readdir(proc)) {
    const pid_t pid = std::atoi(entry->d_name);
    if (pid <= 0) {
      continue;
    }
    if (const pid_t parent = ParentOf(pid); parent >= 0) {
      parents[pid] = parent;
    }
  }
  closedir(proc);
  return parents;
}

bool Descends(const std::map<pid_t, pid_t>& parents, pid_t pid, pid_t ancestor) {
  for (int depth = 0; depth < 1000; ++depth) {
    const auto parent = parents.find(pid);
    if (parent == parents.end()) {
      return false;
    }
    if (parent->second == ancestor) {
      return true;
    }
    pid = parent->second;
  }
  return false;
}

}  // namespace

pid_t ParentOf(pid_t pid) {
  char path[64];
  char line[512] = {};
  std::snprintf(path, sizeof(path), "/proc/%d/stat", pid);
  const int file = open(path, O_RDONLY | O_CLOEXEC);
  const ssize_t size = file < 0 ? -1 : read(file, line, sizeof(line) - 1);
  close(file);
  // The name in parentheses may hold anything; the state and the parent follow the last one.
  const char* after_name = size > 0 ? std::strrchr(line, ')') : nullptr;
  int parent = 0;
  return after_name != nullptr && std::sscanf(after_name, ") %*c %d", &parent) == 1 ? parent : -1;
}

void SignalDescendants(int number) {
  const auto parents = ReadParents();
  for (const auto& [pid, parent] : parents) {
    if (Descends(parents, pid, getpid())) {
      kill(pid, number);
    }
  }
}

void EndDescendants() {
  do {
    SignalDescendants(SIGKILL);
  } while (waitpid(-1, nullptr, 0) >= 0 || errno != ECHILD);
}

std::vector<char*> Pointers(const std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  pointers.reserve(strings.size() + 1);
  for (const std::string& text : strings) {
    pointers.push_back(const_cast<char*>(text.c_str()));
  }
  pointers.push_back(nullptr);
  return pointers;
}

void IgnoreSignals() {
  for (int number = 1; number < NSIG; ++number) {
    signal(number, SIG_DFL);
  }
  for (const int number : kIgnoredSignals) {
    signal(number, SIG_IGN);
  }
}

void ResetSignals() {
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  for (const int number : kIgnoredSignals) {
    signal(number, SIG_DFL);
  }
}

}  // namespace berth
