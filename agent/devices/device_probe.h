#ifndef BERTH_AGENT_DEVICES_DEVICE_PROBE_H_
#define BERTH_AGENT_DEVICES_DEVICE_PROBE_H_

// Which accelerators this node has: found on the machine, or declared in the configuration.

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

#include "proto/resources.pb.h"

namespace berth::agent {

enum class DeviceSource { kAuto, kNvidia, kSimulated, kNone };

// Some equal devices that exist only here; what runs on them are real processes.
struct SimulatedGroup {
  std::string device_class;
  int count = 0;
  int64_t memory_mib = 0;
};

struct DeviceProbeOptions {
  DeviceSource source = DeviceSource::kAuto;
  std::vector<int> indexes;  // of the real devices, only these; empty: all
  std::vector<SimulatedGroup> simulated;
  std::string node;  // part of a simulated device's uuid
  std::string nvml_library = "libnvidia-ml.so.1";
};

// kAuto: the NVIDIA devices if there are any, else the simulated ones, else none.
absl::StatusOr<std::vector<v1::Device>> ProbeDevices(const DeviceProbeOptions& options);

}  // namespace berth::agent

#endif  // BERTH_AGENT_DEVICES_DEVICE_PROBE_H_
