#ifndef BERTH_AGENT_DEVICES_NVIDIA_H_
#define BERTH_AGENT_DEVICES_NVIDIA_H_

// NVIDIA devices through NVML, which is loaded at run time: one build runs on every node.

#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"

#include "agent/devices/device_probe.h"

namespace berth {

inline constexpr char kNvmlLibrary[] = "libnvidia-ml.so.1";

class NvmlLibrary;

class NvidiaProbe : public DeviceProbe {
 public:
  explicit NvidiaProbe(std::string library = kNvmlLibrary) : library_(std::move(library)) {}
  // Loads, asks and unloads the library each time. Indexes are NVML's: those of nvidia-smi, and of
  // CUDA under CUDA_DEVICE_ORDER=PCI_BUS_ID.
  absl::StatusOr<ProbedDevices> Probe() override;

 private:
  const std::string library_;
};

// Names the groups of devices that are joined by NVLink, or, where no device has any, that share a
// host bridge: "0", "1", ... by their lowest index. All in one group, or nothing known: no names.
void NameRings(const NvmlLibrary& nvml, std::vector<v1::Device>& devices);

}  // namespace berth

#endif  // BERTH_AGENT_DEVICES_NVIDIA_H_
