#include "agent/shim/task_limits.h"

#include <algorithm>

namespace berth {
namespace {

constexpr int64_t kLimitNsPerMs = 1000000;
// Of berth.v1.StopReason.
constexpr int64_t kStopTimeLimit = 2;
constexpr int64_t kStopIdle = 13;

}  // namespace

void TaskLimits::OnStart(const TaskFile& task, int64_t now_ns) {
  if (task.time_limit_ms > 0) {
    kill_ns_ = now_ns + task.time_limit_ms * kLimitNsPerMs;
    stop_ns_ = std::max(kill_ns_ - task.grace_ms * kLimitNsPerMs, now_ns + 1);
  }
}

void TaskLimits::OnUse(const TaskFile& task, int64_t now_ns) {
  if (task.idle_ms > 0) {
    idle_ns_ = now_ns + task.idle_ms * kLimitNsPerMs;
  }
}

TaskLimits::Reason TaskLimits::FindDue(int64_t now_ns) const {
  if (stop_ns_ > 0 && now_ns >= stop_ns_) {
    return {kStopTimeLimit, "time limit"};
  }
  if (idle_ns_ > 0 && now_ns >= idle_ns_) {
    return {kStopIdle, "nobody used it for as long as its idle limit"};
  }
  return {};
}

int64_t TaskLimits::next_stop_ns() const {
  return stop_ns_ > 0 && idle_ns_ > 0 ? std::min(stop_ns_, idle_ns_) : std::max(stop_ns_, idle_ns_);
}

}  // namespace berth
