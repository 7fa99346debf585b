// A library with the names and calling conventions of libnvidia-ml.so.1 and answers set by a test.

#include "tests/agent/devices/fake_nvml/fake_nvml.h"

#include <algorithm>
#include <cstring>
#include <vector>

namespace {

constexpr int kSuccess = 0;
constexpr int kUninitialized = 1;
constexpr int kInvalidArgument = 2;
constexpr int kNotSupported = 3;
constexpr int kNotFound = 6;
constexpr int kInsufficientSize = 7;
constexpr int kTimeout = 10;
constexpr unsigned long long kXidEvent = 8;

struct Memory {
  unsigned long long total;
  unsigned long long free;
  unsigned long long used;
};

berth::FakeNvml& State() {
  static berth::FakeNvml state;
  return state;
}

int Copy(const std::string& text, char* buffer, unsigned int length) {
  if (text.size() >= length) {
    return kInsufficientSize;
  }
  std::memcpy(buffer, text.c_str(), text.size() + 1);
  return kSuccess;
}

}  // namespace

// NVML's own names. NOLINTBEGIN(readability-identifier-naming)
extern "C" {

struct nvmlDevice_st;
using Handle = nvmlDevice_st*;

struct Event {
  Handle device;
  unsigned long long type;
  unsigned long long data;
  unsigned int gpu_instance;
  unsigned int compute_instance;
};
struct Utilization {
  unsigned int gpu;
  unsigned int memory;
};
struct Attributes {
  unsigned int shared[6];
  unsigned int gpu_slices;
  unsigned int compute_slices;
  unsigned long long memory_mb;
};
struct Process {
  unsigned int pid;
  unsigned long long used_bytes;
  unsigned int gpu_instance;
  unsigned int compute_instance;
};

static berth::FakeNvmlDevice& DeviceOf(Handle handle) {
  return *reinterpret_cast<berth::FakeNvmlDevice*>(handle);
}

// Null for a whole device: handles of both kinds are told apart by where they point.
static berth::FakeNvmlInstance* InstanceOf(Handle handle) {
  for (berth::FakeNvmlDevice& device : State().devices) {
    for (berth::FakeNvmlInstance& instance : device.instances) {
      if (reinterpret_cast<Handle>(&instance) == handle) {
        return &instance;
      }
    }
  }
  return nullptr;
}

berth::FakeNvml* FakeNvmlState() {
  return &State();
}

int nvmlInit_v2() {
  if (State().init_result == kSuccess) {
    ++State().open;
  }
  return State().init_result;
}

int nvmlShutdown() {
  if (State().open == 0) {
    return kUninitialized;
  }
  --State().open;
  return kSuccess;
}

const char* nvmlErrorString(int result) {
  return result == 15 ? "GPU is lost" : "Driver/library version mismatch";
}

int nvmlDeviceGetCount_v2(unsigned int* count) {
  if (State().open == 0) {
    return kUninitialized;
  }
  *count = static_cast<unsigned int>(State().devices.size());
  return State().count_result;
}

int nvmlDeviceGetHandleByIndex_v2(unsigned int index, Handle* device) {
  if (index >= State().devices.size()) {
    return kInvalidArgument;
  }
  *device = reinterpret_cast<Handle>(&State().devices[index]);
  return State().devices[index].handle_result;
}

int nvmlDeviceGetName(Handle device, char* name, unsigned int length) {
  return Copy(DeviceOf(device).name, name, length);
}

int nvmlDeviceGetUUID(Handle device, char* uuid, unsigned int length) {
  const berth::FakeNvmlInstance* instance = InstanceOf(device);
  return Copy(instance == nullptr ? DeviceOf(device).uuid : instance->uuid, uuid, length);
}

int nvmlDeviceGetMemoryInfo(Handle device, Memory* memory) {
  if (const berth::FakeNvmlInstance* instance = InstanceOf(device); instance != nullptr) {
    *memory = {instance->memory_mb << 20, 0, instance->used_bytes};
    return kSuccess;
  }
  *memory = {DeviceOf(device).memory_bytes, 0, DeviceOf(device).used_bytes};
  return DeviceOf(device).memory_result;
}

int nvmlDeviceGetUtilizationRates(Handle device, Utilization* utilization) {
  if (InstanceOf(device) != nullptr) {
    return kNotSupported;
  }
  *utilization = {DeviceOf(device).utilization, 3};
  return DeviceOf(device).utilization_result;
}

int nvmlDeviceGetPowerUsage(Handle device, unsigned int* milliwatts) {
  if (InstanceOf(device) != nullptr) {
    return kNotSupported;
  }
  *milliwatts = DeviceOf(device).milliwatts;
  return DeviceOf(device).power_result;
}

int nvmlDeviceGetMinorNumber(Handle device, unsigned int* minor_number) {
  *minor_number = DeviceOf(device).minor_number;
  return DeviceOf(device).minor_result;
}

int nvmlEventSetCreate(void** set) {
  *set = &State();
  return kSuccess;
}

int nvmlEventSetFree(void* /*set*/) {
  return kSuccess;
}

int nvmlDeviceRegisterEvents(Handle /*device*/, unsigned long long types, void* /*set*/) {
  return types == kXidEvent ? kSuccess : kInvalidArgument;
}

int nvmlEventSetWait_v2(void* /*set*/, Event* event, unsigned int timeout_ms) {
  if (State().events.empty() || timeout_ms != 0) {
    return kTimeout;
  }
  const berth::FakeNvmlEvent next = State().events.front();
  State().events.erase(State().events.begin());
  *event = {reinterpret_cast<Handle>(&State().devices[next.index]), next.type, next.data,
            next.gpu_instance, 0xffffffff};
  return kSuccess;
}

int nvmlDeviceGetTotalEccErrors(Handle device, int error_type, int /*counter_type*/,
                                unsigned long long* count) {
  const berth::FakeNvmlDevice& fake = DeviceOf(device);
  *count = error_type == 0 ? fake.corrected_ecc : fake.uncorrected_ecc;
  return fake.ecc_result;
}

int nvmlDeviceGetComputeRunningProcesses_v3(Handle device, unsigned int* count,
                                            Process* processes) {
  const berth::FakeNvmlInstance* instance = InstanceOf(device);
  const std::vector<unsigned int>& pids =
      instance == nullptr ? DeviceOf(device).processes : instance->processes;
  const unsigned int room = *count;
  *count = static_cast<unsigned int>(pids.size());
  if (room < pids.size()) {
    return kInsufficientSize;
  }
  for (size_t i = 0; i < pids.size(); ++i) {
    processes[i] = {pids[i], 1 << 20, 0, 0};
  }
  return kSuccess;
}

int nvmlDeviceGetP2PStatus(Handle one, Handle other, int capability, int* status) {
  if (capability != 2) {
    return kInvalidArgument;
  }
  const auto index = static_cast<unsigned int>(&DeviceOf(other) - State().devices.data());
  const std::vector<unsigned int>& links = DeviceOf(one).nvlinks;
  *status = std::find(links.begin(), links.end(), index) != links.end() ? 0 : 1;
  return kSuccess;
}

int nvmlDeviceGetTopologyCommonAncestor(Handle one, Handle other, int* level) {
  *level = DeviceOf(one).socket == DeviceOf(other).socket ? 20 : 50;
  return kSuccess;
}

int nvmlDeviceGetMigMode(Handle device, unsigned int* current, unsigned int* pending) {
  *current = DeviceOf(device).is_mig ? 1 : 0;
  *pending = *current;
  return kSuccess;
}

int nvmlDeviceGetMaxMigDeviceCount(Handle device, unsigned int* count) {
  *count = DeviceOf(device).is_mig ? 7 : 0;
  return kSuccess;
}

int nvmlDeviceGetMigDeviceHandleByIndex(Handle device, unsigned int slot, Handle* found) {
  for (berth::FakeNvmlInstance& instance : DeviceOf(device).instances) {
    if (instance.slot == slot) {
      *found = reinterpret_cast<Handle>(&instance);
      return kSuccess;
    }
  }
  return kNotFound;
}

int nvmlDeviceGetGpuInstanceId(Handle device, unsigned int* id) {
  const berth::FakeNvmlInstance* instance = InstanceOf(device);
  *id = instance == nullptr ? 0 : instance->gpu_instance;
  return instance == nullptr ? kInvalidArgument : kSuccess;
}

int nvmlDeviceGetComputeInstanceId(Handle device, unsigned int* id) {
  const berth::FakeNvmlInstance* instance = InstanceOf(device);
  *id = instance == nullptr ? 0 : instance->compute_instance;
  return instance == nullptr ? kInvalidArgument : kSuccess;
}

int nvmlDeviceGetAttributes_v2(Handle device, Attributes* attributes) {
  const berth::FakeNvmlInstance* instance = InstanceOf(device);
  if (instance == nullptr) {
    return kInvalidArgument;
  }
  *attributes = {{}, instance->gpu_slices, instance->compute_slices, instance->memory_mb};
  return kSuccess;
}

}  // extern "C"
// NOLINTEND(readability-identifier-naming)
