#include "agent/devices/device_probe.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

#include "agent/devices/nvidia.h"
#include "agent/devices/simulated.h"
#include "common/error_detail.h"
#include "common/status_macros.h"

namespace berth::agent {
namespace {

absl::StatusOr<std::vector<v1::Device>> Choose(std::vector<v1::Device> devices,
                                               const std::vector<int>& indexes) {
  if (indexes.empty()) {
    return devices;
  }
  std::vector<v1::Device> chosen;
  for (const int index : indexes) {
    const auto found =
        std::find_if(devices.begin(), devices.end(),
                     [index](const v1::Device& device) { return device.index() == index; });
    if (found == devices.end()) {
      return MakeError(absl::StatusCode::kInvalidArgument,
                       {.code = "B5102",
                        .message = absl::StrCat("[devices] indexes names device ", index,
                                                ", this machine has ", devices.size()),
                        .why = "",
                        .fix = "list them: nvidia-smi -L"});
    }
    chosen.push_back(*found);
  }
  return chosen;
}

absl::StatusOr<std::vector<v1::Device>> ProbeNvidia(const DeviceProbeOptions& options) {
  ASSIGN_OR_RETURN(std::vector<v1::Device> devices, FindNvidiaDevices(options.nvml_library));
  if (devices.empty()) {
    return MakeError(absl::StatusCode::kNotFound,
                     {.code = "B5101",
                      .message = "this machine has no NVIDIA device",
                      .why = "[devices] kind = \"nvidia\" asks for them",
                      .fix = "check the driver: nvidia-smi -L"});
  }
  return Choose(std::move(devices), options.indexes);
}

}  // namespace

absl::StatusOr<std::vector<v1::Device>> ProbeDevices(const DeviceProbeOptions& options) {
  switch (options.source) {
    case DeviceSource::kNone:
      return std::vector<v1::Device>();
    case DeviceSource::kSimulated:
      return MakeSimulatedDevices(options.simulated, options.node);
    case DeviceSource::kNvidia:
      return ProbeNvidia(options);
    case DeviceSource::kAuto: {
      const auto found = FindNvidiaDevices(options.nvml_library);
      if (found.ok() && !found->empty()) {
        return Choose(*found, options.indexes);
      }
      return MakeSimulatedDevices(options.simulated, options.node);
    }
  }
  return std::vector<v1::Device>();
}

}  // namespace berth::agent
