#include "agent/devices/simulated.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

#include "agent/devices/device_probe.h"
#include "agent/devices/inventory_script.h"
#include "common/error_detail.h"
#include "common/status_macros.h"

namespace berth {
namespace {

// As many as one node may give to a job.
constexpr int kSimulatedDevicesMax = 64;

bool IsClassName(absl::string_view name) {
  return !name.empty() && name.size() <= kClassNameBytesMax && absl::ascii_isalnum(name.front()) &&
         std::all_of(name.begin(), name.end(), [](unsigned char c) {
           return absl::ascii_islower(c) || absl::ascii_isdigit(c) || c == '-' || c == '.';
         });
}

absl::Status CheckGroup(const SimulatedDevices& group) {
  if (!IsClassName(group.device_class)) {
    return MakeError(
        absl::StatusCode::kInvalidArgument,
        {.code = "B5401",
         .message = absl::StrCat("\"", group.device_class, "\" is no name for a device class"),
         .why = "a class has 1 to 63 lower-case letters, digits, '-' and '.'",
         .fix = "write class = \"sim-a100-80g\" in [[simulated]]"});
  }
  if (group.count < 1 || group.count > kSimulatedDevicesMax) {
    return MakeError(
        absl::StatusCode::kInvalidArgument,
        {.code = "B5401",
         .message = absl::StrCat("count = ", group.count, " of the simulated ", group.device_class,
                                 " is not in 1 to ", kSimulatedDevicesMax),
         .why = "",
         .fix = "change count in [[simulated]], or remove the table"});
  }
  if (group.memory_mib < 0) {
    return MakeError(absl::StatusCode::kInvalidArgument,
                     {.code = "B5401",
                      .message = absl::StrCat("the memory of the simulated ", group.device_class,
                                              " is negative"),
                      .why = "",
                      .fix = "write memory = \"80GiB\" in [[simulated]]"});
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<ProbedDevices> SimulatedProbe::Probe() {
  ProbedDevices found;
  for (const SimulatedDevices& group : groups_) {
    RETURN_IF_ERROR(CheckGroup(group));
    for (int i = 0; i < group.count; ++i) {
      const int index = static_cast<int>(found.devices.size());
      v1::Device& device = found.devices.emplace_back();
      device.set_index(index);
      device.set_device_class(group.device_class);
      device.set_uuid(absl::StrCat("SIM-", node_, "-", index));
      device.set_kind(v1::DEVICE_KIND_SIMULATED);
      device.set_memory_mib(group.memory_mib);
      device.set_health(v1::DEVICE_HEALTH_OK);
      device.set_minor_number(-1);
    }
  }
  if (found.devices.size() > kSimulatedDevicesMax) {
    return MakeError(
        absl::StatusCode::kInvalidArgument,
        {.code = "B5401",
         .message = absl::StrCat(found.devices.size(), " simulated devices are more than the ",
                                 kSimulatedDevicesMax, " a node may have"),
         .why = "",
         .fix = "lower count in [[simulated]]"});
  }
  if (!script_.empty()) {
    ApplyInventoryScript(script_, found);
  }
  return found;
}

}  // namespace berth
