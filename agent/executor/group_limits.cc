#include "agent/executor/group_limits.h"

#include <algorithm>
#include <cerrno>
#include <iterator>

#include "absl/strings/str_cat.h"

#include "agent/executor/control_group_mounts.h"
#include "common/status_macros.h"
#include <unistd.h>

namespace berth {
namespace {

constexpr int64_t kPeriodUs = 100000;
constexpr int64_t kMilliPerCpu = 1000;
// What the kernel takes.
constexpr int64_t kQuotaUsMin = 1000;
constexpr int64_t kSharesMin = 2;
constexpr int64_t kSharesMax = 262144;
constexpr int64_t kWeightMax = 10000;
// Of one whole processor: the kernel's defaults, so that a task beside others counts by its share.
constexpr int64_t kSharesPerCpu = 1024;
constexpr int64_t kWeightPerCpu = 100;
absl::Status LimitCpu(const std::string& folder, bool unified, const GroupLimits& limits) {
  const int64_t quota_us = std::max(limits.cpu_milli * kPeriodUs / kMilliPerCpu, kQuotaUsMin);
  if (limits.cpu_milli > 0 && unified) {
    RETURN_IF_ERROR(WriteGroupFile(folder + "/cpu.max", absl::StrCat(quota_us, " ", kPeriodUs)));
  } else if (limits.cpu_milli > 0) {
    RETURN_IF_ERROR(WriteGroupFile(folder + "/cpu.cfs_period_us", absl::StrCat(kPeriodUs)));
    RETURN_IF_ERROR(WriteGroupFile(folder + "/cpu.cfs_quota_us", absl::StrCat(quota_us)));
  }
  if (limits.cpu_share_milli <= 0) {
    return absl::OkStatus();
  }
  if (unified) {
    const int64_t weight =
        std::clamp<int64_t>(limits.cpu_share_milli * kWeightPerCpu / kMilliPerCpu, 1, kWeightMax);
    return WriteGroupFile(folder + "/cpu.weight", absl::StrCat(weight));
  }
  const int64_t shares =
      std::clamp(limits.cpu_share_milli * kSharesPerCpu / kMilliPerCpu, kSharesMin, kSharesMax);
  return WriteGroupFile(folder + "/cpu.shares", absl::StrCat(shares));
}

absl::Status LimitMemory(const std::string& folder, bool unified, int64_t bytes) {
  if (bytes <= 0) {
    return absl::OkStatus();
  }
  const std::string text = absl::StrCat(bytes);
  if (!unified) {
    RETURN_IF_ERROR(WriteGroupFile(folder + "/memory.limit_in_bytes", text));
    // Only one of the two is there: the first where the kernel accounts swap.
    const bool no_swap = WriteGroupFile(folder + "/memory.memsw.limit_in_bytes", text).ok();
    return no_swap ? absl::OkStatus() : WriteGroupFile(folder + "/memory.swappiness", "0");
  }
  RETURN_IF_ERROR(WriteGroupFile(folder + "/memory.max", text));
  // A kernel without swap has no such file.
  if (access((folder + "/memory.swap.max").c_str(), F_OK) == 0) {
    RETURN_IF_ERROR(WriteGroupFile(folder + "/memory.swap.max", "0"));
  }
  return WriteGroupFile(folder + "/memory.oom.group", "1");
}

absl::Status LimitDevices(const std::string& folder, bool unified,
                          const std::vector<DeviceRule>& rules) {
  if (unified) {
    return AttachDeviceRules(folder, rules);
  }
  RETURN_IF_ERROR(WriteGroupFile(folder + "/devices.deny", "a"));
  std::vector<std::string> allowed;
  std::transform(rules.begin(), rules.end(), std::back_inserter(allowed), FormatDeviceRule);
  return WriteGroupFile(folder + "/devices.allow", allowed);
}

}  // namespace

absl::Status SetLimits(const std::vector<std::string>& controllers, const std::string& folder,
                       bool unified, const GroupLimits& limits) {
  for (const std::string& controller : controllers) {
    absl::Status status;
    if (controller == "cpu") {
      status = LimitCpu(folder, unified, limits);
    } else if (controller == "memory") {
      status = LimitMemory(folder, unified, limits.memory_bytes);
    } else if (controller == "pids" && limits.processes_max > 0) {
      status = WriteGroupFile(folder + "/pids.max", absl::StrCat(limits.processes_max));
    } else if (controller == "freezer" &&
               access((folder + (unified ? "/cgroup.kill" : "/freezer.state")).c_str(), F_OK) !=
                   0) {
      status = absl::NotFoundError("the kernel has no cgroup.kill: it is older than 5.14");
    } else if (controller == "devices") {
      status = LimitDevices(folder, unified, limits.devices);
    }
    RETURN_IF_ERROR(status);
  }
  return absl::OkStatus();
}

}  // namespace berth
