#include "agent/devices/device_finder.h"

#include <algorithm>

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "agent/devices/inventory.h"
#include "common/log.h"

namespace berth {
namespace {

// But for their health, which is the monitor's to tell.
bool AreSame(const std::vector<v1::Device>& a, const std::vector<v1::Device>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), IsSameToTasks);
}

bool HasParts(const ProbedDevices& devices) {
  return absl::c_any_of(devices.devices,
                        [](const v1::Device& device) { return !device.part_of().empty(); });
}

// Whether a device that cannot be read may be one that is known, or have parts that are. A new part
// is neither.
bool HidesKnown(const ProbedDevices& known, int index) {
  const bool is_known = absl::c_any_of(
      known.devices, [index](const v1::Device& device) { return device.index() == index; });
  return is_known || (index < kFirstPartIndex && !absl::c_linear_search(known.unreadable, index));
}

// Why what was seen says nothing about what is not there any more; empty: it does.
std::string WhyNotEnough(const ProbedDevices& known, const absl::StatusOr<ProbedDevices>& seen) {
  if (!seen.ok()) {
    return std::string(seen.status().message());
  }
  if (HasParts(known) && !seen->tells_parts) {
    return "the parts of devices that are divided cannot be told";
  }
  const bool hides_any =
      seen->nameless > known.nameless ||
      absl::c_any_of(seen->unreadable, [&known](int index) { return HidesKnown(known, index); });
  return hides_any ? absl::StrJoin(seen->complaints, "; ") : "";
}

}  // namespace

DeviceFinder::DeviceFinder(DeviceOptions options, ProbedDevices known)
    : options_(std::move(options)), known_(std::move(known)) {
  // A driver that is away, as while it is upgraded, must not make room for another's devices.
  options_.source = SourceOf(options_, known_);
}

bool DeviceFinder::SeesEnough(const absl::StatusOr<ProbedDevices>& seen) {
  const std::string trouble = WhyNotEnough(known_, seen);
  if (trouble != trouble_ && !trouble.empty()) {
    LogWarning("devices cannot be looked for; those known before count", {
                                                                             {"why", trouble}
    });
  }
  trouble_ = trouble;
  return trouble.empty();
}

std::optional<FoundDevices> DeviceFinder::Look() {
  absl::StatusOr<ProbedDevices> seen = ProbeDevices(options_);
  if (!SeesEnough(seen) || AreSame(seen->devices, known_.devices)) {
    new_.reset();
    return std::nullopt;
  }
  if (!new_.has_value() || !AreSame(*new_, seen->devices)) {
    new_ = seen->devices;
    return std::nullopt;
  }
  new_.reset();
  known_ = *std::move(seen);
  LogComplaints(known_);
  return FoundDevices{
      .devices = known_.devices,
      // A script has told of its devices already, and would tell again.
      .monitor = options_.fault_script.empty() ? MakeDeviceMonitor(options_) : nullptr,
      .meter = MakeDeviceMeter(options_)};
}

}  // namespace berth
