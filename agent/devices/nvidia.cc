#include "agent/devices/nvidia.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <memory>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

#include "common/error_detail.h"
#include "common/status_macros.h"
#include <dlfcn.h>

namespace berth::agent {
namespace {

constexpr int64_t kMibPerByteShift = 20;
constexpr size_t kClassBytesMax = 63;

// The part of NVML's interface that is used here, from its reference manual.
constexpr int kNvmlSuccess = 0;
constexpr unsigned kNvmlNameBytes = 96;
struct NvmlDevice;
struct NvmlMemory {
  unsigned long long total;
  unsigned long long free;
  unsigned long long used;
};

struct NvmlCalls {
  int (*init)() = nullptr;
  int (*shutdown)() = nullptr;
  int (*get_count)(unsigned*) = nullptr;
  int (*get_handle)(unsigned, NvmlDevice**) = nullptr;
  int (*get_name)(NvmlDevice*, char*, unsigned) = nullptr;
  int (*get_uuid)(NvmlDevice*, char*, unsigned) = nullptr;
  int (*get_memory)(NvmlDevice*, NvmlMemory*) = nullptr;
  int (*get_minor)(NvmlDevice*, unsigned*) = nullptr;
};

struct CloseLibrary {
  void operator()(void* library) const { dlclose(library); }
};
using Library = std::unique_ptr<void, CloseLibrary>;

absl::Status NvmlError(absl::string_view what) {
  return MakeError(absl::StatusCode::kUnavailable,
                   {.code = "B5103",
                    .message = absl::StrCat("NVML cannot ", what),
                    .why = "it tells which NVIDIA devices there are",
                    .fix = "check the driver: nvidia-smi -L"});
}

template <typename Function>
bool Load(void* library, const char* name, Function& function) {
  function = reinterpret_cast<Function>(dlsym(library, name));
  return function != nullptr;
}

absl::StatusOr<NvmlCalls> LoadCalls(void* library) {
  NvmlCalls calls;
  const bool all = Load(library, "nvmlInit_v2", calls.init) &&
                   Load(library, "nvmlShutdown", calls.shutdown) &&
                   Load(library, "nvmlDeviceGetCount_v2", calls.get_count) &&
                   Load(library, "nvmlDeviceGetHandleByIndex_v2", calls.get_handle) &&
                   Load(library, "nvmlDeviceGetName", calls.get_name) &&
                   Load(library, "nvmlDeviceGetUUID", calls.get_uuid) &&
                   Load(library, "nvmlDeviceGetMemoryInfo", calls.get_memory) &&
                   Load(library, "nvmlDeviceGetMinorNumber", calls.get_minor);
  if (!all) {
    return NvmlError("be used: it lacks a function");
  }
  return calls;
}

absl::StatusOr<v1::Device> ReadDevice(const NvmlCalls& calls, unsigned index) {
  NvmlDevice* handle = nullptr;
  std::array<char, kNvmlNameBytes> name{};
  std::array<char, kNvmlNameBytes> uuid{};
  NvmlMemory memory{};
  unsigned minor = 0;
  if (calls.get_handle(index, &handle) != kNvmlSuccess ||
      calls.get_name(handle, name.data(), name.size()) != kNvmlSuccess ||
      calls.get_uuid(handle, uuid.data(), uuid.size()) != kNvmlSuccess ||
      calls.get_memory(handle, &memory) != kNvmlSuccess) {
    return NvmlError(absl::StrCat("describe device ", index));
  }
  v1::Device device;
  device.set_index(static_cast<int>(index));
  device.set_uuid(uuid.data());
  device.set_kind(v1::DEVICE_KIND_NVIDIA);
  device.set_memory_mib(static_cast<int64_t>(memory.total >> kMibPerByteShift));
  device.set_device_class(NvidiaDeviceClass(name.data(), device.memory_mib()));
  device.set_health(v1::DEVICE_HEALTH_OK);
  const bool has_minor = calls.get_minor(handle, &minor) == kNvmlSuccess;
  device.set_minor_number(has_minor ? static_cast<int>(minor) : static_cast<int>(index));
  return device;
}

absl::StatusOr<std::vector<v1::Device>> ReadDevices(const NvmlCalls& calls) {
  unsigned count = 0;
  if (calls.get_count(&count) != kNvmlSuccess) {
    return NvmlError("count the devices");
  }
  std::vector<v1::Device> devices;
  for (unsigned index = 0; index < count; ++index) {
    ASSIGN_OR_RETURN(devices.emplace_back(), ReadDevice(calls, index));
  }
  return devices;
}

bool SaysFormOrMemory(absl::string_view word) {
  const bool memory =
      absl::EndsWith(word, "gb") && std::all_of(word.begin(), word.end() - 2, absl::ascii_isdigit);
  return memory || word == "pcie" || word == "sxm" || word == "sxm2" || word == "sxm3" ||
         word == "sxm4" || word == "sxm5" || word == "hbm3" || word == "hbm3e" ||
         word == "geforce" || word == "tesla" || word == "graphics";
}

}  // namespace

absl::StatusOr<std::vector<v1::Device>> FindNvidiaDevices(const std::string& library) {
  const Library loaded(dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL));
  if (loaded == nullptr) {
    return NvmlError(absl::StrCat("be loaded from ", library));
  }
  ASSIGN_OR_RETURN(const NvmlCalls calls, LoadCalls(loaded.get()));
  if (calls.init() != kNvmlSuccess) {
    return NvmlError("be initialized: is the driver running?");
  }
  auto devices = ReadDevices(calls);
  calls.shutdown();
  return devices;
}

std::string NvidiaDeviceClass(absl::string_view model, int64_t memory_mib) {
  std::string plain = absl::AsciiStrToLower(model);
  for (char& c : plain) {
    c = absl::ascii_isalnum(static_cast<unsigned char>(c)) ? c : '-';
  }
  std::vector<std::string> words;
  for (const absl::string_view word : absl::StrSplit(plain, '-', absl::SkipEmpty())) {
    if (word != "nvidia" && !SaysFormOrMemory(word)) {
      words.emplace_back(word);
    }
  }
  // The driver keeps a little for itself, so the count is rounded up to the vendor's.
  const int64_t memory_gib = (memory_mib + 1023) / 1024;
  const std::string suffix = absl::StrCat("-", memory_gib, "g");
  std::string name = absl::StrCat("nvidia-", absl::StrJoin(words, "-"));
  name.resize(std::min(name.size(), kClassBytesMax - suffix.size()));
  return absl::StrCat(absl::StripSuffix(name, "-"), suffix);
}

}  // namespace berth::agent
