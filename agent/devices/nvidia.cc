#include "agent/devices/nvidia.h"

#include <algorithm>
#include <array>
#include <climits>
#include <map>
#include <memory>

#include "absl/strings/str_cat.h"

#include "agent/devices/nvidia_class.h"
#include "agent/devices/nvml_library.h"
#include "common/quantity.h"
#include "common/status_macros.h"

namespace berth {
namespace {

// NVML's NVML_DEVICE_NAME_V2_BUFFER_SIZE and NVML_DEVICE_UUID_V2_BUFFER_SIZE.
constexpr size_t kTextBytes = 96;

absl::StatusOr<std::string> ReadText(const NvmlLibrary& nvml, const char* call, NvmlDevice handle,
                                     int (*read)(NvmlDevice, char*, unsigned int)) {
  std::array<char, kTextBytes> text = {};
  const int result = read(handle, text.data(), text.size() - 1);
  if (result != kNvmlSuccess) {
    return nvml.Error(call, result);
  }
  return std::string(text.data());
}

// -1 where devices have no files, as under WSL.
absl::StatusOr<int> ReadMinorNumber(const NvmlLibrary& nvml, NvmlDevice handle) {
  unsigned int minor_number = 0;
  const int result = nvml.get_minor_number(handle, &minor_number);
  if (result == kNvmlNotSupported) {
    return -1;
  }
  if (result != kNvmlSuccess) {
    return nvml.Error("nvmlDeviceGetMinorNumber", result);
  }
  return static_cast<int>(minor_number);
}

// Of a whole device.
absl::StatusOr<v1::Device> ReadDevice(const NvmlLibrary& nvml, NvmlDevice handle, int index) {
  ASSIGN_OR_RETURN(const std::string model,
                   ReadText(nvml, "nvmlDeviceGetName", handle, nvml.get_name));
  ASSIGN_OR_RETURN(const std::string uuid,
                   ReadText(nvml, "nvmlDeviceGetUUID", handle, nvml.get_uuid));
  NvmlMemory memory;
  const int result = nvml.get_memory_info(handle, &memory);
  if (result != kNvmlSuccess) {
    return nvml.Error("nvmlDeviceGetMemoryInfo", result);
  }
  ASSIGN_OR_RETURN(const int minor_number, ReadMinorNumber(nvml, handle));
  v1::Device device;
  device.set_index(index);
  device.set_memory_mib(static_cast<int64_t>(memory.total_bytes) / kBytesPerMib);
  device.set_device_class(NvidiaClass(model, device.memory_mib()));
  device.set_uuid(uuid);
  device.set_kind(v1::DEVICE_KIND_NVIDIA);
  device.set_health(v1::DEVICE_HEALTH_OK);
  device.set_minor_number(minor_number);
  return device;
}

// Beside what it is a part of: uuid, class, memory and files of its own.
absl::StatusOr<v1::Device> ReadInstance(const NvmlLibrary& nvml, const NvidiaInstance& instance,
                                        const std::string& capabilities) {
  ASSIGN_OR_RETURN(v1::Device device, ReadDevice(nvml, instance.parent, instance.index));
  if (!instance.is_mig) {
    return device;
  }
  ASSIGN_OR_RETURN(const std::string uuid,
                   ReadText(nvml, "nvmlDeviceGetUUID", instance.handle, nvml.get_uuid));
  NvmlAttributes attributes;
  const int result = nvml.get_attributes(instance.handle, &attributes);
  if (result != kNvmlSuccess) {
    return nvml.Error("nvmlDeviceGetAttributes", result);
  }
  ASSIGN_OR_RETURN(const std::vector<std::string> files,
                   MigFiles(instance, device.minor_number(), capabilities));
  device.mutable_files()->Assign(files.begin(), files.end());
  device.set_part_of(device.uuid());
  device.set_uuid(uuid);
  device.set_device_class(
      MigClass(device.device_class(), MigProfile(attributes, device.memory_mib())));
  device.set_memory_mib(static_cast<int64_t>(attributes.memory_mb));
  return device;
}

// Which devices are joined, directly or through others: for each the lowest index of its group.
template <typename Joined>
std::vector<size_t> FindGroups(size_t count, const Joined& joined) {
  std::vector<size_t> group(count);
  for (size_t i = 0; i < count; ++i) {
    group[i] = i;
    for (size_t j = 0; j < i; ++j) {
      if (!joined(i, j) || group[i] == group[j]) {
        continue;
      }
      const size_t low = std::min(group[i], group[j]);
      const size_t high = std::max(group[i], group[j]);
      std::replace(group.begin(), group.begin() + static_cast<std::ptrdiff_t>(i) + 1, high, low);
    }
  }
  return group;
}

}  // namespace

void NameRings(const NvmlLibrary& nvml, std::vector<v1::Device>& devices) {
  std::vector<NvmlDevice> handles;
  for (const v1::Device& device : devices) {
    if (device.files_size() > 0) {
      continue;
    }
    NvmlDevice handle = nullptr;
    if (nvml.get_handle_by_index(static_cast<unsigned int>(device.index()), &handle) !=
        kNvmlSuccess) {
      return;
    }
    handles.push_back(handle);
  }
  bool any = false;
  std::vector<size_t> groups = FindGroups(handles.size(), [&](size_t i, size_t j) {
    int status = -1;
    const bool linked =
        nvml.get_p2p_status != nullptr &&
        nvml.get_p2p_status(handles[i], handles[j], kNvmlP2pNvlink, &status) == kNvmlSuccess &&
        status == kNvmlP2pOk;
    any = any || linked;
    return linked;
  });
  if (!any) {
    groups = FindGroups(handles.size(), [&](size_t i, size_t j) {
      int level = INT_MAX;
      const bool known = nvml.get_common_ancestor != nullptr &&
                         nvml.get_common_ancestor(handles[i], handles[j], &level) == kNvmlSuccess;
      any = any || known;
      return known && level <= kNvmlSameHostBridge;
    });
  }
  const bool all_one = std::all_of(groups.begin(), groups.end(), [](size_t g) { return g == 0; });
  if (!any || all_one) {
    return;
  }
  std::map<size_t, int> names;
  for (const size_t group : groups) {
    names.emplace(group, static_cast<int>(names.size()));
  }
  size_t at = 0;
  for (v1::Device& device : devices) {
    if (device.files_size() == 0) {
      device.set_ring(absl::StrCat(names.at(groups[at++])));
    }
  }
}

absl::StatusOr<ProbedDevices> NvidiaProbe::Probe() {
  ASSIGN_OR_RETURN(const std::unique_ptr<NvmlLibrary> nvml, NvmlLibrary::Load(library_));
  unsigned int count = 0;
  const int result = nvml->get_count(&count);
  if (result != kNvmlSuccess) {
    return nvml->Error("nvmlDeviceGetCount", result);
  }
  ProbedDevices found;
  absl::Status first_error;
  // One dead device must not take the others, and the tasks on them, from the center.
  const auto leave_out = [&](int index, const absl::Status& why) {
    found.complaints.push_back(absl::StrCat("device ", index, " is unreadable: ", why.message()));
    found.unreadable.push_back(index);
    first_error.Update(why);
  };
  const NvidiaInstances instances = ListInstances(*nvml, count);
  for (const auto& [index, why] : instances.unreadable) {
    leave_out(index, why);
  }
  for (const NvidiaInstance& instance : instances.found) {
    absl::StatusOr<v1::Device> device = ReadInstance(*nvml, instance, capabilities_);
    if (device.ok()) {
      found.devices.push_back(*std::move(device));
    } else {
      leave_out(instance.index, device.status());
    }
  }
  std::sort(found.unreadable.begin(), found.unreadable.end());
  if (found.devices.empty() && !first_error.ok()) {
    return first_error;
  }
  NameRings(*nvml, found.devices);
  return found;
}

}  // namespace berth
