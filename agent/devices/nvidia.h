#ifndef BERTH_AGENT_DEVICES_NVIDIA_H_
#define BERTH_AGENT_DEVICES_NVIDIA_H_

// NVIDIA devices through NVML, loaded at run time: one build runs on every node.

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "proto/resources.pb.h"

namespace berth::agent {

// Every device of the machine, by index. An error says what NVML cannot do, e.g. be loaded.
absl::StatusOr<std::vector<v1::Device>> FindNvidiaDevices(const std::string& library);

// "NVIDIA H200" with 143771 MiB is "nvidia-h200-141g": the model's words and the memory in GiB as
// the vendor counts them. Words that say only the form or the memory again are left out.
std::string NvidiaDeviceClass(absl::string_view model, int64_t memory_mib);

}  // namespace berth::agent

#endif  // BERTH_AGENT_DEVICES_NVIDIA_H_
