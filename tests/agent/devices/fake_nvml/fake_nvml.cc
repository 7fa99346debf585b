// A library with the names and calling conventions of libnvidia-ml.so.1 and answers set by a test.

#include "tests/agent/devices/fake_nvml/fake_nvml.h"

#include <cstring>

namespace {

constexpr int kSuccess = 0;
constexpr int kUninitialized = 1;
constexpr int kInvalidArgument = 2;
constexpr int kInsufficientSize = 7;

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

static berth::FakeNvmlDevice& DeviceOf(Handle handle) {
  return *reinterpret_cast<berth::FakeNvmlDevice*>(handle);
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
  return Copy(DeviceOf(device).uuid, uuid, length);
}

int nvmlDeviceGetMemoryInfo(Handle device, Memory* memory) {
  *memory = {DeviceOf(device).memory_bytes, 0, DeviceOf(device).memory_bytes};
  return DeviceOf(device).memory_result;
}

int nvmlDeviceGetMinorNumber(Handle device, unsigned int* minor_number) {
  *minor_number = DeviceOf(device).minor_number;
  return DeviceOf(device).minor_result;
}

}  // extern "C"
// NOLINTEND(readability-identifier-naming)
