#ifndef BERTH_AGENT_DEVICE_WATCH_H_
#define BERTH_AGENT_DEVICE_WATCH_H_

// The devices of this node over the agent's life: what there is, how well each is, whether the next
// task may have it. Owned by the Agent; the loop's thread only.

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"

#include "agent/devices/device_event.h"
#include "agent/devices/device_health.h"
#include "agent/devices/devices.h"

namespace berth {

class DeviceWatch {
 public:
  // Takes the inventory, and the verdicts of earlier agents in `data_dir`.
  static absl::StatusOr<DeviceWatch> Start(const DeviceOptions& options,
                                           const std::string& data_dir);

  const std::vector<v1::Device>& devices() const { return devices_; }

  // What has happened since the last look, judged; devices() is up to date afterwards.
  DeviceHealth::Outcome Look();
  // As if the monitor had told it.
  DeviceHealth::Outcome Judge(const std::vector<DeviceEvent>& events);
  // Why the device cannot be handed on yet; empty: it is clean.
  std::string WhyNotClean(int index);

 private:
  DeviceWatch(std::vector<v1::Device> devices, std::unique_ptr<DeviceMonitor> monitor,
              DeviceHealth health)
      : devices_(std::move(devices)), monitor_(std::move(monitor)), health_(std::move(health)) {}

  std::vector<v1::Device> devices_;
  std::unique_ptr<DeviceMonitor> monitor_;  // none: nothing ever happens to these devices
  DeviceHealth health_;
};

}  // namespace berth

#endif  // BERTH_AGENT_DEVICE_WATCH_H_
