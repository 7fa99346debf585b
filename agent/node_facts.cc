#include "agent/node_facts.h"

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <limits>
#include <sstream>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"

#include "common/quantity.h"
#include <sched.h>
#include <sys/utsname.h>
#include <unistd.h>

namespace berth {
namespace {

constexpr int64_t kUnlimited = std::numeric_limits<int64_t>::max();
constexpr int64_t kMilliPerCpu = 1000;

// Empty if there is no such file.
std::string ReadText(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return std::string(absl::StripAsciiWhitespace(text.str()));
}

// kUnlimited for anything but a positive number: "max", "-1", no file.
int64_t ReadLimit(absl::string_view text) {
  int64_t limit = 0;
  return absl::SimpleAtoi(text, &limit) && limit > 0 ? limit : kUnlimited;
}

struct Limits {
  int64_t cpu_milli = kUnlimited;
  int64_t memory_bytes = kUnlimited;
};

void Lower(int64_t& limit, int64_t other) {
  limit = std::min(limit, other);
}

// Of `quota_us` each `period_us`; at least one thousandth.
int64_t CpuMilli(absl::string_view quota_us, absl::string_view period_us) {
  const int64_t quota = ReadLimit(quota_us);
  const int64_t period = ReadLimit(period_us);
  if (quota == kUnlimited || period == kUnlimited) {
    return kUnlimited;
  }
  return std::max<int64_t>(1, quota * kMilliPerCpu / period);
}

// Calls `read` with the folders of the control group `group` and of all above it. Inside a
// container the group may be told as the host sees it; then only the ones that exist count.
template <typename Read>
void ForGroupAndAbove(const std::string& mount, std::string group, const Read& read) {
  while (!group.empty() && group != "/") {
    read(mount + group);
    group.resize(std::min(group.rfind('/'), group.size()));
  }
  read(mount);
}

void ReadGroupV2(const std::string& folder, Limits& limits) {
  const std::vector<std::string> cpu = absl::StrSplit(ReadText(folder + "/cpu.max"), ' ');
  if (cpu.size() == 2) {
    Lower(limits.cpu_milli, CpuMilli(cpu[0], cpu[1]));
  }
  Lower(limits.memory_bytes, ReadLimit(ReadText(folder + "/memory.max")));
}

void ReadGroupV1(const std::string& folder, Limits& limits) {
  Lower(limits.cpu_milli,
        CpuMilli(ReadText(folder + "/cpu.cfs_quota_us"), ReadText(folder + "/cpu.cfs_period_us")));
  Lower(limits.memory_bytes, ReadLimit(ReadText(folder + "/memory.limit_in_bytes")));
}

// /proc/self/cgroup has lines ID:CONTROLLERS:PATH; without controllers it is version 2's.
Limits ReadControlGroups(const std::string& root) {
  Limits limits;
  const std::string mounts = root + "/sys/fs/cgroup";
  const std::string table = ReadText(root + "/proc/self/cgroup");
  for (const absl::string_view line : absl::StrSplit(table, '\n')) {
    const std::vector<std::string> parts = absl::StrSplit(line, absl::MaxSplits(':', 2));
    if (parts.size() != 3) {
      continue;
    }
    if (parts[1].empty()) {
      ForGroupAndAbove(mounts, parts[2],
                       [&](const std::string& folder) { ReadGroupV2(folder, limits); });
      continue;
    }
    const std::vector<std::string> controllers = absl::StrSplit(parts[1], ',');
    for (const std::string& controller : controllers) {
      if (controller != "cpu" && controller != "memory") {
        continue;
      }
      const auto read = [&](const std::string& folder) { ReadGroupV1(folder, limits); };
      ForGroupAndAbove(absl::StrCat(mounts, "/", controller), parts[2], read);
    }
  }
  return limits;
}

// 0 if the kernel does not tell.
int64_t MemoryTotalBytes(const std::string& root) {
  const std::string table = ReadText(root + "/proc/meminfo");
  for (const absl::string_view line : absl::StrSplit(table, '\n')) {
    const std::vector<absl::string_view> words = absl::StrSplit(line, ' ', absl::SkipEmpty());
    int64_t kib = 0;
    if (words.size() >= 2 && words[0] == "MemTotal:" && absl::SimpleAtoi(words[1], &kib)) {
      return kib * 1024;
    }
  }
  return 0;
}

// The processors that are online and that this process may run on.
int64_t UsableCpus() {
  constexpr int kCpusMax = 1 << 16;
  for (int cpus = CPU_SETSIZE; cpus <= kCpusMax; cpus *= 2) {
    cpu_set_t* const set = CPU_ALLOC(cpus);
    const size_t bytes = CPU_ALLOC_SIZE(cpus);
    const int count = sched_getaffinity(0, bytes, set) == 0 ? CPU_COUNT_S(bytes, set) : 0;
    CPU_FREE(set);
    if (count > 0) {
      return count;
    }
  }
  return std::max<int64_t>(1, sysconf(_SC_NPROCESSORS_ONLN));
}

void AddFacilities(const std::string& root, v1::NodeFacts& facts) {
  if (geteuid() == 0) {
    facts.add_facilities("pid-namespace");
  }
  const auto add = [&](const char* file, const char* name) {
    if (std::ifstream(absl::StrCat(root, "/sys/fs/cgroup/", file)).good()) {
      facts.add_facilities(name);
    }
  };
  add("cgroup.controllers", "cgroup-v2");
  add("memory/memory.limit_in_bytes", "cgroup-v1");
}

}  // namespace

v1::NodeFacts ReadNodeFacts(const NodeFactsOptions& options) {
  v1::NodeFacts facts;
  utsname names = {};
  if (uname(&names) == 0) {
    facts.set_hostname(names.nodename);
    facts.set_kernel(names.release);
  }
  facts.set_address(options.address);
  facts.set_agent_version(options.agent_version);
  const Limits limits = ReadControlGroups(options.root);
  facts.mutable_capacity()->set_cpu_milli(std::min(UsableCpus() * kMilliPerCpu, limits.cpu_milli));
  facts.mutable_capacity()->set_memory_mib(
      std::min(MemoryTotalBytes(options.root), limits.memory_bytes) / kBytesPerMib);
  facts.mutable_labels()->insert(options.labels.begin(), options.labels.end());
  *facts.mutable_topology() = options.topology;
  AddFacilities(options.root, facts);
  return facts;
}

std::string ReadBootId() {
  return ReadText("/proc/sys/kernel/random/boot_id");
}

}  // namespace berth
