#ifndef BERTH_AGENT_DEVICES_DEVICES_H_
#define BERTH_AGENT_DEVICES_DEVICES_H_

// Which devices this agent offers to the center: what the machine has and the operator allows.

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

#include "agent/devices/ascend.h"
#include "agent/devices/device_event.h"
#include "agent/devices/device_meter.h"
#include "agent/devices/device_probe.h"
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
  std::string nvidia_capabilities = kNvidiaCapabilities;
  std::string npu_smi = kNpuSmi;
  std::string dcmi_library = kDcmiLibrary;
  // Of simulated devices; empty: they never change, have no faults, and nothing is known of them.
  std::string inventory_script;  // inventory_script.h
  std::string fault_script;      // fault_script.h
  std::string sample_script;     // sample_script.h
  // Between two looks at which devices there are.
  absl::Duration search_pause = absl::Seconds(15);
};

// What the machine has at the start. An error, too: it is not what the operator expects. Devices
// that cannot be read are left out with a warning.
absl::StatusOr<ProbedDevices> FindDevices(const DeviceOptions& options);

// What it has now, in the order of the indexes, which are those of the machine even where `indexes`
// leaves some out.
absl::StatusOr<ProbedDevices> ProbeDevices(const DeviceOptions& options);

void LogComplaints(const ProbedDevices& found);

// Whether there may ever be others than at the start.
bool MayChange(const DeviceOptions& options);

// Where those that were found at the start come from: others are looked for there, too. `kAuto`
// still, if there are none.
DeviceSource SourceOf(const DeviceOptions& options, const ProbedDevices& found);

// Watches those devices. None where nothing can be told of them.
std::unique_ptr<DeviceMonitor> MakeDeviceMonitor(const DeviceOptions& options);

// Tells what they are busy with. None where that cannot be told. With npu-smi only, each look takes
// a second or two.
std::unique_ptr<DeviceMeter> MakeDeviceMeter(const DeviceOptions& options);

}  // namespace berth

#endif  // BERTH_AGENT_DEVICES_DEVICES_H_
