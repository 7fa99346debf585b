#ifndef BERTH_SIM_POLICIES_NODE_STATE_H_
#define BERTH_SIM_POLICIES_NODE_STATE_H_

// A node that pods with shares of devices fill up, and what such a pod needs.

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

#include "sim/trace_reader.h"

namespace berth::sim {

inline constexpr int kDeviceMilli = 1000;

// Pods with equal needs are one shape.
struct PodShape {
  int64_t cpu_milli = 0;
  int64_t memory_mib = 0;
  int devices = 0;
  int device_milli = 0;          // of each device
  std::set<std::string> models;  // allowed ones; empty: any

  static PodShape Of(const TracePod& pod);
  bool IsShare() const { return devices == 1 && device_milli < kDeviceMilli; }
  int64_t device_milli_sum() const { return int64_t{devices} * device_milli; }
  bool Allows(const std::string& model) const { return models.empty() || models.count(model) > 0; }
  friend auto operator<=>(const PodShape&, const PodShape&) = default;
};

// What pods ask of a device: a share of one, or so many whole ones.
using Affinity = int;
inline constexpr Affinity kShareAffinity = -1;
inline Affinity AffinityOf(const PodShape& pod) {
  return pod.IsShare() ? kShareAffinity : pod.devices;
}

struct NodeState {
  std::string model;
  int64_t cpu_free_milli = 0;
  int64_t memory_free_mib = 0;
  std::vector<int> device_free_milli;
  std::map<Affinity, int> pods;  // with devices, by what they ask

  static NodeState Of(const TraceNode& node);
  int64_t DeviceFreeSum() const;
  int WholeDevicesFree() const;
  bool Fits(const PodShape& pod) const;
  // The device with the least room that the share still fits, the first of those.
  // Requires: Fits(pod), a share.
  int TightestDevice(const PodShape& pod) const;
  // A share goes to `device`, whole devices to the first idle ones. Requires: it fits there.
  void Place(const PodShape& pod, int device);
  // The pod takes what it asks of each of these devices. Requires: it fits there.
  void PlaceOn(const PodShape& pod, const std::vector<int>& devices);
};

}  // namespace berth::sim

#endif  // BERTH_SIM_POLICIES_NODE_STATE_H_
