#include "agent/devices/dcmi_library.h"

#include <utility>

#include "absl/strings/str_cat.h"

#include "common/error_detail.h"
#include "common/status_macros.h"
#include <dlfcn.h>

namespace berth {
namespace {

constexpr char kFix[] = "install the Ascend driver, or set devices.kind = \"none\"";

}  // namespace

absl::StatusOr<std::unique_ptr<DcmiLibrary>> DcmiLibrary::Load(const std::string& path) {
  void* handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) {
    // NOLINTNEXTLINE(concurrency-mt-unsafe): glibc keeps this text per thread.
    const char* why = dlerror();
    return MakeError(absl::StatusCode::kNotFound,
                     {.code = "B5407",
                      .message = absl::StrCat("cannot load Huawei's library ", path),
                      .why = why == nullptr ? "unknown error" : why,
                      .fix = kFix});
  }
  std::unique_ptr<DcmiLibrary> library(new DcmiLibrary(path, handle));
  RETURN_IF_ERROR(library->FindFunctions());
  if (const int result = library->init_(); result != kDcmiOk) {
    return library->Error("dcmi_init", result);
  }
  return library;
}

DcmiLibrary::~DcmiLibrary() {
  dlclose(handle_);
}

absl::Status DcmiLibrary::Error(const char* call, int result) const {
  return MakeError(absl::StatusCode::kUnavailable,
                   {.code = "B5407",
                    .message = absl::StrCat("the Ascend driver does not tell its devices: ", call),
                    .why = absl::StrCat("DCMI result ", result),
                    .fix = "run npu-smi info on the node"});
}

template <typename Function>
bool DcmiLibrary::Find(const char* name, Function& function) {
  function = reinterpret_cast<Function>(dlsym(handle_, name));
  return function != nullptr;
}

absl::Status DcmiLibrary::FindFunctions() {
  const bool found = Find("dcmi_init", init_) && Find("dcmi_get_card_list", get_card_list) &&
                     Find("dcmi_get_device_num_in_card", get_num_in_card) &&
                     Find("dcmi_get_device_chip_info", get_chip_info) &&
                     Find("dcmi_get_device_health", get_health) &&
                     Find("dcmi_get_device_logic_id", get_logic_id) &&
                     Find("dcmi_get_device_phyid_from_logicid", get_physical_id);
  Find("dcmi_get_device_hbm_info", get_hbm_info);
  Find("dcmi_get_device_utilization_rate", get_utilization_rate);
  Find("dcmi_get_device_power_info", get_power_info);
  Find("dcmi_get_device_pcie_info_v2", get_pcie_info);
  Find("dcmi_get_device_info", get_info);
  if (found) {
    return absl::OkStatus();
  }
  return MakeError(absl::StatusCode::kFailedPrecondition,
                   {.code = "B5407",
                    .message = absl::StrCat(path_, " is not a usable DCMI"),
                    .why = "it lacks a function of the second version of that interface",
                    .fix = kFix});
}

}  // namespace berth
