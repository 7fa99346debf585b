#include "agent/devices/nvml_library.h"

#include <utility>

#include "absl/strings/str_cat.h"

#include "common/error_detail.h"
#include "common/log.h"
#include "common/status_macros.h"
#include <dlfcn.h>

namespace berth {
namespace {

std::string LoaderError() {
  // NOLINTNEXTLINE(concurrency-mt-unsafe): glibc keeps this text per thread.
  const char* text = dlerror();
  return text == nullptr ? "unknown error" : text;
}

}  // namespace

absl::StatusOr<std::unique_ptr<NvmlLibrary>> NvmlLibrary::Load(const std::string& path) {
  void* handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) {
    return MakeError(absl::StatusCode::kNotFound,
                     {.code = "B5402",
                      .message = absl::StrCat("cannot load NVIDIA's library ", path),
                      .why = LoaderError(),
                      .fix = "install the NVIDIA driver, or set devices.kind = \"none\""});
  }
  std::unique_ptr<NvmlLibrary> library(new NvmlLibrary(path, handle));
  RETURN_IF_ERROR(library->FindFunctions());
  RETURN_IF_ERROR(library->Initialize());
  return library;
}

NvmlLibrary::~NvmlLibrary() {
  if (initialized_) {
    const int result = shutdown_();
    if (result != kNvmlSuccess) {
      LogWarning("nvml not shut down", {
                                           {"result", result}
      });
    }
  }
  dlclose(handle_);
}

absl::Status NvmlLibrary::Error(const char* call, int result) const {
  const char* words = error_string_(result);
  return MakeError(absl::StatusCode::kUnavailable,
                   {.code = "B5404",
                    .message = absl::StrCat("the NVIDIA driver does not tell its devices: ", call,
                                            ": ", words == nullptr ? "unknown error" : words),
                    .why = absl::StrCat("NVML result ", result),
                    .fix = "run nvidia-smi on the node; a reboot loads the installed driver"});
}

absl::Status NvmlLibrary::Initialize() {
  const int result = init_();
  if (result == kNvmlDriverNotLoaded) {
    return MakeError(absl::StatusCode::kNotFound,
                     {.code = "B5402",
                      .message = "the NVIDIA driver is not loaded",
                      .why = absl::StrCat(path_, " is here, and no driver answers it"),
                      .fix = "run modprobe nvidia, or set devices.kind = \"none\""});
  }
  if (result != kNvmlSuccess) {
    return Error("nvmlInit", result);
  }
  initialized_ = true;
  return absl::OkStatus();
}

template <typename Function>
void NvmlLibrary::Find(const char* name, Function& function, std::string& missing) {
  function = reinterpret_cast<Function>(dlsym(handle_, name));
  if (function == nullptr && missing.empty()) {
    missing = name;
  }
}

absl::Status NvmlLibrary::FindFunctions() {
  std::string missing;
  Find("nvmlInit_v2", init_, missing);
  Find("nvmlShutdown", shutdown_, missing);
  Find("nvmlErrorString", error_string_, missing);
  Find("nvmlDeviceGetCount_v2", get_count, missing);
  Find("nvmlDeviceGetHandleByIndex_v2", get_handle_by_index, missing);
  Find("nvmlDeviceGetName", get_name, missing);
  Find("nvmlDeviceGetUUID", get_uuid, missing);
  Find("nvmlDeviceGetMemoryInfo", get_memory_info, missing);
  Find("nvmlDeviceGetMinorNumber", get_minor_number, missing);
  std::string& too_old = missing_function;
  Find("nvmlEventSetCreate", create_event_set, too_old);
  Find("nvmlEventSetFree", free_event_set, too_old);
  Find("nvmlDeviceRegisterEvents", register_events, too_old);
  Find("nvmlEventSetWait_v2", wait_for_event, too_old);
  Find("nvmlDeviceGetTotalEccErrors", get_total_ecc_errors, too_old);
  Find("nvmlDeviceGetComputeRunningProcesses_v3", get_compute_processes, too_old);
  Find("nvmlDeviceGetUtilizationRates", get_utilization, too_old);
  Find("nvmlDeviceGetPowerUsage", get_power_usage, too_old);
  Find("nvmlDeviceGetP2PStatus", get_p2p_status, too_old);
  Find("nvmlDeviceGetTopologyCommonAncestor", get_common_ancestor, too_old);
  std::string no_mig;
  Find("nvmlDeviceGetMigMode", get_mig_mode, no_mig);
  Find("nvmlDeviceGetMaxMigDeviceCount", get_max_mig_count, no_mig);
  Find("nvmlDeviceGetMigDeviceHandleByIndex", get_mig_handle, no_mig);
  Find("nvmlDeviceGetGpuInstanceId", get_gpu_instance, no_mig);
  Find("nvmlDeviceGetComputeInstanceId", get_compute_instance, no_mig);
  Find("nvmlDeviceGetAttributes_v2", get_attributes, no_mig);
  if (!no_mig.empty()) {
    get_mig_mode = nullptr;
    too_old = too_old.empty() ? no_mig : too_old;
  }
  if (missing.empty()) {
    return absl::OkStatus();
  }
  return MakeError(absl::StatusCode::kFailedPrecondition,
                   {.code = "B5403",
                    .message = absl::StrCat(path_, " is not a usable NVML"),
                    .why = absl::StrCat("it has no function ", missing),
                    .fix = "install an NVIDIA driver of version 450 or later"});
}

}  // namespace berth
