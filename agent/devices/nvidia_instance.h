#ifndef BERTH_AGENT_DEVICES_NVIDIA_INSTANCE_H_
#define BERTH_AGENT_DEVICES_NVIDIA_INSTANCE_H_

// What NVML calls a device here: a whole one, or a MIG instance of one that is divided. Each
// instance is a device of its own class; one that is divided is none itself.

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "agent/devices/nvml_library.h"

namespace berth {

inline constexpr char kNvidiaCapabilities[] = "/proc/driver/nvidia/capabilities";

struct NvidiaInstance {
  int index = 0;  // NVML's; of a MIG instance MigIndex
  NvmlDevice handle = nullptr;
  NvmlDevice parent = nullptr;  // `handle` itself, if it is whole
  bool is_mig = false;
  unsigned int gpu_instance = 0;  // of a MIG instance
  unsigned int compute_instance = 0;
};

struct NvidiaInstances {
  std::vector<NvidiaInstance> found;
  // By NVML's indexes, and why.
  std::vector<std::pair<int, absl::Status>> unreadable;
};

// In the order of their indexes.
NvidiaInstances ListInstances(const NvmlLibrary& nvml, unsigned int count);

// The index of slot `slot` of the device `parent`: the same whatever else there is.
int MigIndex(unsigned int parent, unsigned int slot);

// "1g.10gb", "1c.3g.40gb": slices and memory as the profile is sold. NVML tells less memory; it is
// rounded up to eighths of the whole device's, as the profiles are cut (NVIDIA MIG User Guide,
// "Partitioning").
std::string MigProfile(const NvmlAttributes& attributes, int64_t whole_memory_mib);

// The files that a process needs for an instance beside the whole device's: those of its GPU and of
// its compute instance, by the numbers in the driver's files below `capabilities`. NotFound: the
// driver does not tell them, and the instance cannot be used.
absl::StatusOr<std::vector<std::string>> MigFiles(const NvidiaInstance& instance,
                                                  int parent_minor_number,
                                                  const std::string& capabilities);

}  // namespace berth

#endif  // BERTH_AGENT_DEVICES_NVIDIA_INSTANCE_H_
