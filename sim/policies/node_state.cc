#include "sim/policies/node_state.h"

#include <algorithm>
#include <numeric>

#include "absl/strings/str_split.h"

#include "common/check.h"

namespace berth::sim {
namespace {

constexpr int64_t kCpuMilliMin = 100;  // of a pod that asks for none

}  // namespace

PodShape PodShape::Of(const TracePod& pod) {
  PodShape shape{.cpu_milli = pod.cpu_milli == 0 ? kCpuMilliMin : pod.cpu_milli,
                 .memory_mib = pod.memory_mib,
                 .devices = pod.devices,
                 .device_milli = pod.device_milli};
  for (const absl::string_view model : absl::StrSplit(pod.models, '|', absl::SkipEmpty())) {
    shape.models.insert(std::string(model));
  }
  return shape;
}

NodeState NodeState::Of(const TraceNode& node) {
  return {.model = node.model,
          .cpu_free_milli = node.cpu_milli,
          .memory_free_mib = node.memory_mib,
          .device_free_milli = std::vector<int>(static_cast<size_t>(node.devices), kDeviceMilli)};
}

int64_t NodeState::DeviceFreeSum() const {
  return std::accumulate(device_free_milli.begin(), device_free_milli.end(), int64_t{0});
}

int NodeState::WholeDevicesFree() const {
  return static_cast<int>(
      std::count(device_free_milli.begin(), device_free_milli.end(), kDeviceMilli));
}

bool NodeState::Fits(const PodShape& pod) const {
  if (pod.cpu_milli > cpu_free_milli || pod.memory_mib > memory_free_mib) {
    return false;
  }
  if (pod.devices == 0) {
    return true;
  }
  const auto fitting = std::count_if(device_free_milli.begin(), device_free_milli.end(),
                                     [&pod](int free) { return free >= pod.device_milli; });
  return fitting >= pod.devices && pod.Allows(model);
}

int NodeState::TightestDevice(const PodShape& pod) const {
  int best = -1;
  for (int device = 0; device < static_cast<int>(device_free_milli.size()); ++device) {
    const int free = device_free_milli[device];
    if (free >= pod.device_milli && (best < 0 || free < device_free_milli[best])) {
      best = device;
    }
  }
  return best;
}

void NodeState::Place(const PodShape& pod, int device) {
  if (pod.IsShare()) {
    PlaceOn(pod, {device});
    return;
  }
  std::vector<int> idle;
  for (int i = 0; i < static_cast<int>(device_free_milli.size()); ++i) {
    if (static_cast<int>(idle.size()) < pod.devices && device_free_milli[i] == kDeviceMilli) {
      idle.push_back(i);
    }
  }
  PlaceOn(pod, idle);
}

void NodeState::PlaceOn(const PodShape& pod, const std::vector<int>& devices) {
  BERTH_CHECK(static_cast<int>(devices.size()) == pod.devices);
  cpu_free_milli -= pod.cpu_milli;
  memory_free_mib -= pod.memory_mib;
  if (pod.devices > 0) {
    ++pods[AffinityOf(pod)];
  }
  for (const int device : devices) {
    device_free_milli[device] -= pod.device_milli;
    BERTH_CHECK(device_free_milli[device] >= 0);
  }
}

}  // namespace berth::sim
