#include "agent/shim/task_group.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <optional>

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

namespace berth {
namespace {

// Rounds of reading the members and killing them, where the kernel cannot do both in one step.
constexpr int kKillRoundsMax = 64;

bool WriteText(const std::string& path, const char* text) {
  const int file = open(path.c_str(), O_WRONLY | O_CLOEXEC);
  const auto size = static_cast<ssize_t>(std::strlen(text));
  const bool written = file >= 0 && write(file, text, static_cast<size_t>(size)) == size;
  if (file >= 0) {
    close(file);
  }
  return written;
}

// Nothing if there is no such file.
std::optional<std::string> ReadIfThere(const std::string& path) {
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) {
    return std::nullopt;
  }
  std::string text;
  char chunk[4096];
  ssize_t size = 0;
  while ((size = read(file, chunk, sizeof(chunk))) > 0) {
    text.append(chunk, static_cast<size_t>(size));
  }
  close(file);
  return text;
}

std::string ReadWhole(const std::string& path) {
  return ReadIfThere(path).value_or("");
}

// Whether there was any.
bool KillMembers(const std::string& folder) {
  const std::string members = ReadWhole(folder + "/cgroup.procs");
  for (const char* at = members.c_str(); *at != 0;) {
    char* end = nullptr;
    const long pid = std::strtol(at, &end, 10);
    if (pid > 0) {
      kill(static_cast<pid_t>(pid), SIGKILL);
    }
    at = *end == '\n' ? end + 1 : end;
  }
  return !members.empty();
}

bool Exists(const std::string& path) {
  return access(path.c_str(), F_OK) == 0;
}

// The number behind "NAME " at the beginning of a line; 0 if there is none.
int64_t NumberOf(const std::string& text, const std::string& name) {
  const size_t line = ("\n" + text).find("\n" + name + " ");
  return line == std::string::npos
             ? 0
             : std::strtoll(text.c_str() + line + name.size() + 1, nullptr, 10);
}

}  // namespace

GroupEntry::GroupEntry(const std::vector<std::string>& folders) {
  for (const std::string& folder : folders) {
    // Where version 1 takes a thread that moves itself, it does so at once; for a whole process the
    // kernel waits until no processor is amid a fork, some 10 ms.
    int member = open((folder + "/tasks").c_str(), O_WRONLY | O_CLOEXEC);
    if (member < 0) {
      member = open((folder + "/cgroup.procs").c_str(), O_WRONLY | O_CLOEXEC);
    }
    members_.push_back(member);
  }
}

GroupEntry::~GroupEntry() {
  for (const int member : members_) {
    if (member >= 0) {
      close(member);
    }
  }
}

bool GroupEntry::Enter() const {
  for (const int member : members_) {
    // 0 is the writer itself, in whatever pid namespace.
    if (write(member, "0", 1) != 1) {
      return false;
    }
  }
  return true;
}

void KillGroup(const std::vector<std::string>& folders) {
  std::string frozen;
  for (const std::string& folder : folders) {
    if (Exists(folder + "/cgroup.kill")) {
      WriteText(folder + "/cgroup.kill", "1");
      return;
    }
    if (Exists(folder + "/freezer.state")) {
      frozen = folder + "/freezer.state";
    }
  }
  if (folders.empty()) {
    return;
  }
  // Without a freezer a process may be born while the list is read, hence more than one round.
  const bool freezes = !frozen.empty() && WriteText(frozen, "FROZEN");
  const int rounds = freezes ? 1 : kKillRoundsMax;
  for (int round = 0; round < rounds && KillMembers(folders.front()); ++round) {
  }
  if (freezes) {
    WriteText(frozen, "THAWED");
  }
}

bool IsGroupEmpty(const std::vector<std::string>& folders) {
  for (const std::string& folder : folders) {
    if (const auto members = ReadIfThere(folder + "/cgroup.procs")) {
      return members->empty();
    }
  }
  return true;
}

int64_t CountMemoryKills(const std::vector<std::string>& folders) {
  int64_t kills = 0;
  for (const std::string& folder : folders) {
    kills += NumberOf(ReadWhole(folder + "/memory.events"), "oom_kill");
    kills += NumberOf(ReadWhole(folder + "/memory.oom_control"), "oom_kill");
  }
  return kills;
}

int64_t UsedMemory(const std::string& folder) {
  return std::strtoll(ReadWhole(folder + "/memory.usage_in_bytes").c_str(), nullptr, 10);
}

}  // namespace berth
