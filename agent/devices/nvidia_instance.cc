#include "agent/devices/nvidia_instance.h"

#include <algorithm>
#include <fstream>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"

#include "agent/devices/device_probe.h"
#include "agent/devices/nvidia_class.h"
#include "common/status_macros.h"

namespace berth {
namespace {

constexpr int kSlotsPerDevice = 10;
constexpr int64_t kMemorySlices = 8;

bool IsDivided(const NvmlLibrary& nvml, NvmlDevice handle) {
  unsigned int current = 0;
  unsigned int pending = 0;
  return nvml.get_mig_mode != nullptr &&
         nvml.get_mig_mode(handle, &current, &pending) == kNvmlSuccess &&
         current == kNvmlMigEnabled;
}

void ListSlots(const NvmlLibrary& nvml, unsigned int index, NvmlDevice parent,
               NvidiaInstances& instances) {
  unsigned int slots = 0;
  if (const int result = nvml.get_max_mig_count(parent, &slots); result != kNvmlSuccess) {
    instances.unreadable.emplace_back(static_cast<int>(index),
                                      nvml.Error("nvmlDeviceGetMaxMigDeviceCount", result));
    return;
  }
  for (unsigned int slot = 0; slot < std::min<unsigned int>(slots, kSlotsPerDevice); ++slot) {
    NvidiaInstance instance{.index = MigIndex(index, slot), .parent = parent, .is_mig = true};
    int result = nvml.get_mig_handle(parent, slot, &instance.handle);
    if (result == kNvmlNotFound) {
      continue;  // nothing was made there
    }
    if (result == kNvmlSuccess) {
      result = nvml.get_gpu_instance(instance.handle, &instance.gpu_instance);
    }
    if (result == kNvmlSuccess) {
      result = nvml.get_compute_instance(instance.handle, &instance.compute_instance);
    }
    if (result == kNvmlSuccess) {
      instances.found.push_back(instance);
    } else {
      instances.unreadable.emplace_back(instance.index,
                                        nvml.Error("nvmlDeviceGetMigDeviceHandleByIndex", result));
    }
  }
}

// "DeviceFileMinor: 12" in a file of the driver's.
absl::StatusOr<std::string> CapabilityFile(const std::string& path) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    absl::string_view rest = line;
    int minor_number = 0;
    if (absl::ConsumePrefix(&rest, "DeviceFileMinor:") && absl::SimpleAtoi(rest, &minor_number)) {
      return absl::StrCat("/dev/nvidia-caps/nvidia-cap", minor_number);
    }
  }
  return absl::NotFoundError(
      absl::StrCat(path, " does not tell the device file of a MIG instance"));
}

}  // namespace

int MigIndex(unsigned int parent, unsigned int slot) {
  return kFirstPartIndex + static_cast<int>(parent) * kSlotsPerDevice + static_cast<int>(slot);
}

NvidiaInstances ListInstances(const NvmlLibrary& nvml, unsigned int count) {
  NvidiaInstances instances;
  for (unsigned int index = 0; index < count; ++index) {
    NvmlDevice handle = nullptr;
    const int result = nvml.get_handle_by_index(index, &handle);
    if (result != kNvmlSuccess) {
      instances.unreadable.emplace_back(static_cast<int>(index),
                                        nvml.Error("nvmlDeviceGetHandleByIndex", result));
    } else if (IsDivided(nvml, handle)) {
      ListSlots(nvml, index, handle, instances);
    } else {
      instances.found.push_back(
          {.index = static_cast<int>(index), .handle = handle, .parent = handle});
    }
  }
  std::sort(instances.found.begin(), instances.found.end(),
            [](const NvidiaInstance& a, const NvidiaInstance& b) { return a.index < b.index; });
  return instances;
}

std::string MigProfile(const NvmlAttributes& attributes, int64_t whole_memory_mib) {
  const int64_t whole = std::max<int64_t>(whole_memory_mib, 1);
  const int64_t eighths =
      (static_cast<int64_t>(attributes.memory_mb) * kMemorySlices + whole - 1) / whole;
  const int64_t whole_gb = (whole + kMibPerGib - 1) / kMibPerGib;
  // To the nearest.
  const int64_t gb = (whole_gb * eighths * 2 + kMemorySlices) / (2 * kMemorySlices);
  const std::string part = attributes.compute_slices == attributes.gpu_slices
                               ? ""
                               : absl::StrCat(attributes.compute_slices, "c.");
  return absl::StrCat(part, attributes.gpu_slices, "g.", gb, "gb");
}

absl::StatusOr<std::vector<std::string>> MigFiles(const NvidiaInstance& instance,
                                                  int parent_minor_number,
                                                  const std::string& capabilities) {
  const std::string gpu =
      absl::StrCat(capabilities, "/gpu", parent_minor_number, "/mig/gi", instance.gpu_instance);
  ASSIGN_OR_RETURN(std::string gpu_file, CapabilityFile(gpu + "/access"));
  ASSIGN_OR_RETURN(std::string compute_file,
                   CapabilityFile(absl::StrCat(gpu, "/ci", instance.compute_instance, "/access")));
  return std::vector<std::string>{std::move(gpu_file), std::move(compute_file)};
}

}  // namespace berth
