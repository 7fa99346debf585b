#include "agent/devices/simulated.h"

#include "absl/strings/str_cat.h"

namespace berth::agent {

std::vector<v1::Device> MakeSimulatedDevices(const std::vector<SimulatedGroup>& groups,
                                             absl::string_view node) {
  std::vector<v1::Device> devices;
  for (const SimulatedGroup& group : groups) {
    for (int i = 0; i < group.count; ++i) {
      const auto index = static_cast<int>(devices.size());
      v1::Device& device = devices.emplace_back();
      device.set_index(index);
      device.set_device_class(group.device_class);
      device.set_uuid(absl::StrCat("SIM-", node, "-", index));
      device.set_kind(v1::DEVICE_KIND_SIMULATED);
      device.set_memory_mib(group.memory_mib);
      device.set_health(v1::DEVICE_HEALTH_OK);
      device.set_minor_number(-1);
    }
  }
  return devices;
}

}  // namespace berth::agent
