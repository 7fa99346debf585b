#ifndef BERTH_AGENT_DEVICES_NVIDIA_CLASS_H_
#define BERTH_AGENT_DEVICES_NVIDIA_CLASS_H_

// What the center calls a model of NVIDIA's.

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"

namespace berth {

inline constexpr int64_t kMibPerGib = 1024;

// The class of a model: "NVIDIA A100-SXM4-80GB" -> "nvidia-a100-80g". The form of the board is left
// out; the memory is the one on the price list, from the name if it is there.
std::string NvidiaClass(absl::string_view model, int64_t memory_mib);

// The class of a MIG instance of a device of class `whole`: "nvidia-h100-80g", "1g.10gb" ->
// "nvidia-h100-80g-mig-1g.10gb".
std::string MigClass(absl::string_view whole, absl::string_view profile);

}  // namespace berth

#endif  // BERTH_AGENT_DEVICES_NVIDIA_CLASS_H_
