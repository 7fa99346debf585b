#ifndef BERTH_AGENT_DEVICES_DEVICES_H_
#define BERTH_AGENT_DEVICES_DEVICES_H_

// Which devices this agent offers to the center: what the machine has and the operator allows.

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "agent/devices/ascend.h"
#include "agent/devices/device_event.h"
#include "agent/devices/device_meter.h"
#include "agent/devices/nvidia.h"
#include "agent/devices/simulated.h"
#include "proto/resources.pb.h"

namespace berth {

enum class DeviceSource {
  kAuto,       // NVIDIA's if there are any, else Ascend's, else the simulated ones, else none
  kNvidia,     // NVIDIA's; none is an error
  kAscend,     // Ascend's; none is an error
  kSimulated,  // those declared
  kNone,
};

// "auto", "nvidia", "ascend", "simulated" or "none".
absl::StatusOr<DeviceSource> ParseDeviceSource(absl::string_view text);

struct DeviceOptions {
  DeviceSource source = DeviceSource::kAuto;
  std::vector<int> indexes;  // only these; empty: all
  std::vector<SimulatedDevices> simulated;
  std::string node;
  std::string nvml_library = kNvmlLibrary;
  std::string npu_smi = kNpuSmi;
  std::string dcmi_library = kDcmiLibrary;
  std::string fault_script;   // of simulated devices (fault_script.h); empty: they have no faults
  std::string sample_script;  // of simulated devices (sample_script.h); empty: nothing is known
};

// The devices in the order of their indexes, which are those of the machine even where `indexes`
// leaves some out. Devices that cannot be read are left out with a warning.
absl::StatusOr<std::vector<v1::Device>> FindDevices(const DeviceOptions& options);

// Watches those devices. None where nothing can be told of them.
std::unique_ptr<DeviceMonitor> MakeDeviceMonitor(const DeviceOptions& options);

// Tells what they are busy with. None where that cannot be told. With npu-smi only, each look takes
// a second or two.
std::unique_ptr<DeviceMeter> MakeDeviceMeter(const DeviceOptions& options);

}  // namespace berth

#endif  // BERTH_AGENT_DEVICES_DEVICES_H_
