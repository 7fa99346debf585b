#ifndef BERTH_AGENT_DEVICES_NVIDIA_H_
#define BERTH_AGENT_DEVICES_NVIDIA_H_

// NVIDIA devices through NVML, which is loaded at run time: one build runs on every node.

#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"

#include "agent/devices/device_probe.h"
#include "agent/devices/nvidia_instance.h"

namespace berth {

inline constexpr char kNvmlLibrary[] = "libnvidia-ml.so.1";

class NvidiaProbe : public DeviceProbe {
 public:
  explicit NvidiaProbe(std::string library = kNvmlLibrary,
                       std::string capabilities = kNvidiaCapabilities)
      : library_(std::move(library)), capabilities_(std::move(capabilities)) {}
  // Loads, asks and unloads the library each time. Indexes are NVML's: those of nvidia-smi, and of
  // CUDA under CUDA_DEVICE_ORDER=PCI_BUS_ID; of MIG instances see MigIndex.
  absl::StatusOr<ProbedDevices> Probe() override;

 private:
  const std::string library_;
  const std::string capabilities_;
};

// Names the groups of whole devices that are joined by NVLink, or, where no device has any, that
// share a host bridge: "0", "1", ... by their lowest index. All in one group, or nothing known: no
// names. MIG instances reach each other by no such link: they are in no group.
void NameRings(const NvmlLibrary& nvml, std::vector<v1::Device>& devices);

}  // namespace berth

#endif  // BERTH_AGENT_DEVICES_NVIDIA_H_
