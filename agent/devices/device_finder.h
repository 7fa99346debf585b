#ifndef BERTH_AGENT_DEVICES_DEVICE_FINDER_H_
#define BERTH_AGENT_DEVICES_DEVICE_FINDER_H_

// Finds out whether the machine has other devices than before: divided, put together, gone, new.

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "agent/devices/device_event.h"
#include "agent/devices/device_meter.h"
#include "agent/devices/device_probe.h"
#include "agent/devices/devices.h"

namespace berth {

struct FoundDevices {
  std::vector<v1::Device> devices;  // by index
  // Of these devices. None: the ones before are good for them, too.
  std::unique_ptr<DeviceMonitor> monitor;
  std::unique_ptr<DeviceMeter> meter;
};

// Owned by whoever looks; one thread.
class DeviceFinder {
 public:
  // `known`: what FindDevices has found.
  DeviceFinder(DeviceOptions options, ProbedDevices known);

  // What there is, once it is other than before. Only what two looks in a row agree on counts, and
  // only looks that see all that could be seen before: a driver that is being changed, or stumbles,
  // takes no device away. May take as long as the driver does.
  std::optional<FoundDevices> Look();

 private:
  bool SeesEnough(const absl::StatusOr<ProbedDevices>& seen);

  DeviceOptions options_;
  ProbedDevices known_;  // as told last
  std::optional<std::vector<v1::Device>>
      new_;              // as seen by the last look, if it is other than that
  std::string trouble_;  // of the last look
};

}  // namespace berth

#endif  // BERTH_AGENT_DEVICES_DEVICE_FINDER_H_
