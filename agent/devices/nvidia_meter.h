#ifndef BERTH_AGENT_DEVICES_NVIDIA_METER_H_
#define BERTH_AGENT_DEVICES_NVIDIA_METER_H_

// What NVIDIA devices are busy with, by NVML, which stays loaded meanwhile.

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"

#include "agent/devices/device_meter.h"
#include "agent/devices/nvidia_instance.h"
#include "agent/devices/nvml_library.h"

namespace berth {

class NvidiaMeter : public DeviceMeter {
 public:
  // As NvmlLibrary::Load.
  static absl::StatusOr<std::unique_ptr<NvidiaMeter>> Open(const std::string& library);

  // Of a MIG instance only its memory is known: NVML measures utilization and power of whole
  // devices.
  std::vector<v1::DeviceSample> Read() override;

 private:
  NvidiaMeter(std::unique_ptr<NvmlLibrary> nvml, std::vector<NvidiaInstance> instances)
      : nvml_(std::move(nvml)), instances_(std::move(instances)) {}
  void ReadWhole(NvmlDevice handle, v1::DeviceSample& sample) const;

  const std::unique_ptr<NvmlLibrary> nvml_;
  const std::vector<NvidiaInstance> instances_;  // that could be read at the start, by index
};

}  // namespace berth

#endif  // BERTH_AGENT_DEVICES_NVIDIA_METER_H_
