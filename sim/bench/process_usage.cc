#include "sim/bench/process_usage.h"

#include <cstdint>
#include <fstream>
#include <sstream>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

#include <unistd.h>

namespace berth {

// proc(5): utime, stime, cutime and cstime are the fields 14 to 17; the second is a name in
// brackets that may hold anything.
absl::StatusOr<ProcessUsage> ReadProcessUsage(pid_t pid) {
  constexpr int kFieldsBetween = 11;
  std::ifstream file(absl::StrCat("/proc/", pid, "/stat"));
  std::string line;
  std::getline(file, line);
  std::istringstream fields(line.substr(line.rfind(')') + 1));
  std::string passed;
  for (int i = 0; i < kFieldsBetween; ++i) {
    fields >> passed;
  }
  int64_t user = 0;
  int64_t system = 0;
  int64_t reaped_user = 0;
  int64_t reaped_system = 0;
  fields >> user >> system >> reaped_user >> reaped_system;
  if (!fields) {
    return absl::NotFoundError(absl::StrCat("there is no process ", pid));
  }
  const absl::Duration tick = absl::Seconds(1) / sysconf(_SC_CLK_TCK);
  return ProcessUsage{(user + system) * tick, (reaped_user + reaped_system) * tick};
}

}  // namespace berth
