#include "scheduler/core/node.h"

#include <array>

#include "scheduler/core/enum_names.h"

namespace berth {
namespace {

constexpr std::array<const char*, 3> kHealthNames = {"ok", "suspect", "quarantined"};
constexpr std::array<const char*, 3> kKindNames = {"nvidia", "ascend", "simulated"};

}  // namespace

absl::string_view Name(DeviceHealth health) {
  return NameIn(kHealthNames, health);
}
absl::string_view Name(DeviceKind kind) {
  return NameIn(kKindNames, kind);
}
std::optional<DeviceHealth> FindDeviceHealth(absl::string_view name) {
  return FindIn<DeviceHealth>(kHealthNames, name);
}
std::optional<DeviceKind> FindDeviceKind(absl::string_view name) {
  return FindIn<DeviceKind>(kKindNames, name);
}

}  // namespace berth
