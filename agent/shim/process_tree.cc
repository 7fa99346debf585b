#include "agent/shim/process_tree.h"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>

#include <dirent.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace berth::shim {
namespace {

// The parent named in /proc/PID/stat; 0 if the process has gone. The command in parentheses may
// hold anything, parentheses included, so the last one counts.
pid_t ParentOf(const char* pid) {
  std::array<char, 512> text{};
  const std::string path = std::string("/proc/") + pid + "/stat";
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) {
    return 0;
  }
  const ssize_t got = read(file, text.data(), text.size() - 1);
  close(file);
  const char* const end = got > 0 ? std::strrchr(text.data(), ')') : nullptr;
  if (end == nullptr || std::strlen(end) < 4) {
    return 0;
  }
  return static_cast<pid_t>(std::strtol(end + 4, nullptr, 10));
}

std::multimap<pid_t, pid_t> ChildrenByParent() {
  std::multimap<pid_t, pid_t> children;
  DIR* const folder = opendir("/proc");
  if (folder == nullptr) {
    return children;
  }
  // One thread, and the stream is its own.
  while (const dirent* entry = readdir(folder)) {  // NOLINT(concurrency-mt-unsafe): one thread
    if (entry->d_name[0] < '1' || entry->d_name[0] > '9') {
      continue;
    }
    const pid_t parent = ParentOf(entry->d_name);
    if (parent > 0) {
      children.emplace(parent, static_cast<pid_t>(std::strtol(entry->d_name, nullptr, 10)));
    }
  }
  closedir(folder);
  return children;
}

}  // namespace

std::vector<pid_t> FindDescendants(pid_t root) {
  const auto children = ChildrenByParent();
  std::vector<pid_t> found;
  std::vector<pid_t> open = {root};
  while (!open.empty()) {
    const auto [begin, end] = children.equal_range(open.back());
    open.pop_back();
    for (auto child = begin; child != end; ++child) {
      found.push_back(child->second);
      open.push_back(child->second);
    }
  }
  return found;
}

void SignalDescendants(int signal) {
  for (const pid_t pid : FindDescendants(getpid())) {
    kill(pid, signal);
  }
}

void KillDescendants() {
  for (;;) {
    SignalDescendants(SIGKILL);
    if (waitpid(-1, nullptr, 0) < 0 && errno == ECHILD) {
      return;
    }
  }
}

}  // namespace berth::shim
