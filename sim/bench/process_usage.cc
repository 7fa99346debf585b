#include "sim/bench/process_usage.h"

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>
#include <string>
#include <system_error>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

#include <unistd.h>

namespace berth {
namespace {

// In clock ticks.
struct ProcessTimes {
  pid_t parent = 0;
  int64_t own = 0;
  int64_t reaped = 0;
};

// proc(5): the parent, utime, stime, cutime and cstime are the fields 4 and 14 to 17; the second is
// a name in brackets that may hold anything.
std::optional<ProcessTimes> ReadTimes(pid_t pid) {
  constexpr int kFieldsBetween = 9;
  std::ifstream file(absl::StrCat("/proc/", pid, "/stat"));
  std::string line;
  std::getline(file, line);
  std::istringstream fields(line.substr(line.rfind(')') + 1));
  ProcessTimes times;
  std::string passed;
  fields >> passed >> times.parent;
  for (int i = 0; i < kFieldsBetween; ++i) {
    fields >> passed;
  }
  int64_t user = 0;
  int64_t system = 0;
  int64_t reaped_user = 0;
  int64_t reaped_system = 0;
  fields >> user >> system >> reaped_user >> reaped_system;
  times.own = user + system;
  times.reaped = reaped_user + reaped_system;
  return fields ? std::optional(times) : std::nullopt;
}

}  // namespace

absl::StatusOr<ProcessUsage> ReadProcessUsage(pid_t pid) {
  const auto times = ReadTimes(pid);
  if (!times.has_value()) {
    return absl::NotFoundError(absl::StrCat("there is no process ", pid));
  }
  int64_t children = 0;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator("/proc", error)) {
    pid_t other = 0;
    const bool is_process = absl::SimpleAtoi(entry.path().filename().string(), &other);
    const auto others = is_process ? ReadTimes(other) : std::nullopt;
    if (others.has_value() && others->parent == pid) {
      children += others->own + others->reaped;
    }
  }
  const absl::Duration tick = absl::Seconds(1) / sysconf(_SC_CLK_TCK);
  return ProcessUsage{times->own * tick, children * tick, times->reaped * tick};
}

}  // namespace berth
