#ifndef BERTH_AGENT_DEVICES_NVIDIA_H_
#define BERTH_AGENT_DEVICES_NVIDIA_H_

// NVIDIA devices through NVML, which is loaded at run time: one build runs on every node.

#include <string>
#include <utility>

#include "absl/status/statusor.h"

#include "agent/devices/device_probe.h"

namespace berth {

inline constexpr char kNvmlLibrary[] = "libnvidia-ml.so.1";

class NvidiaProbe : public DeviceProbe {
 public:
  explicit NvidiaProbe(std::string library = kNvmlLibrary) : library_(std::move(library)) {}
  // Loads, asks and unloads the library each time. Indexes are NVML's: those of nvidia-smi, and of
  // CUDA under CUDA_DEVICE_ORDER=PCI_BUS_ID.
  absl::StatusOr<ProbedDevices> Probe() override;

 private:
  const std::string library_;
};

}  // namespace berth

#endif  // BERTH_AGENT_DEVICES_NVIDIA_H_
