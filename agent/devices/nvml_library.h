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
inline constexpr int kNvmlNotFound = 6;
inline constexpr int kNvmlDriverNotLoaded = 9;
inline constexpr int kNvmlTimeout = 10;
inline constexpr int kNvmlGpuIsLost = 15;
// nvmlEventTypeXidCriticalError.
inline constexpr unsigned long long kNvmlEventXid = 8;
// nvmlMemoryErrorType_t, nvmlEccCounterType_t.
inline constexpr int kNvmlCorrected = 0;
inline constexpr int kNvmlUncorrected = 1;
inline constexpr int kNvmlSinceReboot = 0;
// nvmlGpuP2PCapsIndex_t, nvmlGpuP2PStatus_t.
inline constexpr int kNvmlP2pNvlink = 2;
inline constexpr int kNvmlP2pOk = 0;
// nvmlGpuTopologyLevel_t: no further apart than one host bridge.
inline constexpr int kNvmlSameHostBridge = 30;

// NVML_DEVICE_MIG_ENABLE.
inline constexpr unsigned int kNvmlMigEnabled = 1;
// Of an event that is no instance's.
inline constexpr unsigned int kNvmlNoInstance = 0xffffffff;

using NvmlDevice = struct nvmlDevice_st*;

// nvmlMemory_t.
struct NvmlMemory {
  unsigned long long total_bytes = 0;
  unsigned long long free_bytes = 0;
  unsigned long long used_bytes = 0;
};

// nvmlUtilization_t: of the last sample period, in percent.
struct NvmlUtilization {
  unsigned int gpu = 0;
  unsigned int memory = 0;  // how busy its bus is, not how full it is
};

using NvmlEventSet = struct nvmlEventSet_st*;

// nvmlEventData_t.
struct NvmlEvent {
  NvmlDevice device = nullptr;
  unsigned long long type = 0;
  unsigned long long data = 0;  // kNvmlEventXid: the number
  unsigned int gpu_instance = 0;
  unsigned int compute_instance = 0;
};

// nvmlProcessInfo_t as of nvmlDeviceGetComputeRunningProcesses_v3.
struct NvmlProcess {
  unsigned int pid = 0;
  unsigned long long used_bytes = 0;
  unsigned int gpu_instance = 0;
  unsigned int compute_instance = 0;
};

// nvmlDeviceAttributes_t, of a MIG instance.
struct NvmlAttributes {
  unsigned int multiprocessors = 0;
  unsigned int shared_copy_engines = 0;
  unsigned int shared_decoders = 0;
  unsigned int shared_encoders = 0;
  unsigned int shared_jpegs = 0;
  unsigned int shared_ofas = 0;
  unsigned int gpu_slices = 0;
  unsigned int compute_slices = 0;
  unsigned long long memory_mb = 0;
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

  // The same, and null where the driver is too old to have them.
  int (*create_event_set)(NvmlEventSet* set) = nullptr;
  int (*free_event_set)(NvmlEventSet set) = nullptr;
  int (*register_events)(NvmlDevice device, unsigned long long types, NvmlEventSet set) = nullptr;
  int (*wait_for_event)(NvmlEventSet set, NvmlEvent* event, unsigned int timeout_ms) = nullptr;
  int (*get_total_ecc_errors)(NvmlDevice device, int error_type, int counter_type,
                              unsigned long long* count) = nullptr;
  int (*get_compute_processes)(NvmlDevice device, unsigned int* count,
                               NvmlProcess* processes) = nullptr;
  int (*get_utilization)(NvmlDevice device, NvmlUtilization* utilization) = nullptr;
  int (*get_power_usage)(NvmlDevice device, unsigned int* milliwatts) = nullptr;
  int (*get_p2p_status)(NvmlDevice one, NvmlDevice other, int capability, int* status) = nullptr;
  int (*get_common_ancestor)(NvmlDevice one, NvmlDevice other, int* level) = nullptr;
  // Multi-Instance GPU. Null together.
  int (*get_mig_mode)(NvmlDevice device, unsigned int* current, unsigned int* pending) = nullptr;
  int (*get_max_mig_count)(NvmlDevice device, unsigned int* count) = nullptr;
  int (*get_mig_handle)(NvmlDevice device, unsigned int slot, NvmlDevice* instance) = nullptr;
  int (*get_gpu_instance)(NvmlDevice instance, unsigned int* id) = nullptr;
  int (*get_compute_instance)(NvmlDevice instance, unsigned int* id) = nullptr;
  int (*get_attributes)(NvmlDevice instance, NvmlAttributes* attributes) = nullptr;
  // The first of those that may be null and is.
  std::string missing_function;

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
