#ifndef BERTH_AGENT_DEVICES_NVML_LIBRARY_H_
#define BERTH_AGENT_DEVICES_NVML_LIBRARY_H_

// The part of NVML's stable C interface that is used here, declared again, since its header is on
// no build machine, and the loaded library.

#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace berth {

// nvmlReturn_t.
inline constexpr int kNvmlSuccess = 0;
inline constexpr int kNvmlNotSupported = 3;
inline constexpr int kNvmlDriverNotLoaded = 9;

using NvmlDevice = struct nvmlDevice_st*;

// nvmlMemory_t.
struct NvmlMemory {
  unsigned long long total_bytes = 0;
  unsigned long long free_bytes = 0;
  unsigned long long used_bytes = 0;
};

// NVML, loaded and initialized; both are undone at the end. One owner, one thread.
class NvmlLibrary {
 public:
  // NotFound: no library, or no driver behind it.
  static absl::StatusOr<std::unique_ptr<NvmlLibrary>> Load(const std::string& path);
  NvmlLibrary(const NvmlLibrary&) = delete;
  NvmlLibrary& operator=(const NvmlLibrary&) = delete;
  ~NvmlLibrary();

  // What went wrong in `call`, in NVML's words.
  absl::Status Error(const char* call, int result) const;

  // Functions of NVML by their names there, without "nvml" and "Device".
  int (*get_count)(unsigned int* count) = nullptr;
  int (*get_handle_by_index)(unsigned int index, NvmlDevice* device) = nullptr;
  int (*get_name)(NvmlDevice device, char* name, unsigned int length) = nullptr;
  int (*get_uuid)(NvmlDevice device, char* uuid, unsigned int length) = nullptr;
  int (*get_memory_info)(NvmlDevice device, NvmlMemory* memory) = nullptr;
  int (*get_minor_number)(NvmlDevice device, unsigned int* minor_number) = nullptr;

 private:
  NvmlLibrary(std::string path, void* handle) : path_(std::move(path)), handle_(handle) {}
  absl::Status FindFunctions();
  absl::Status Initialize();
  // `missing` is the first name that was not found.
  template <typename Function>
  void Find(const char* name, Function& function, std::string& missing);

  const std::string path_;
  void* const handle_;
  bool initialized_ = false;
  int (*init_)() = nullptr;
  int (*shutdown_)() = nullptr;
  const char* (*error_string_)(int result) = nullptr;
};

}  // namespace berth

#endif  // BERTH_AGENT_DEVICES_NVML_LIBRARY_H_
