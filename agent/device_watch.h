#ifndef BERTH_AGENT_DEVICE_WATCH_H_
#define BERTH_AGENT_DEVICE_WATCH_H_

// The devices of this node over the agent's life: what there is, how well each is, whether the next
// task may have it. Owned by the Agent; the loop's thread only.

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"

#include "agent/core/agent_core.h"
#include "agent/devices/device_event.h"
#include "agent/devices/device_finder.h"
#include "agent/devices/device_health.h"
#include "agent/devices/devices.h"

namespace berth {

class DeviceWatch {
 public:
  // Takes the inventory, and the verdicts of earlier agents in `data_dir`.
  static absl::StatusOr<DeviceWatch> Start(const DeviceOptions& options,
                                           const std::string& data_dir);

  const std::vector<v1::Device>& devices() const { return devices_; }
  // By index: all but those that are gone while tasks have them.
  std::map<int, v1::Device> DevicesAtHand() const;
  // What looks for other devices from now on; null: there never are any. Once, by whoever looks.
  std::unique_ptr<DeviceFinder> TakeFinder() { return std::move(finder_); }

  // There are other devices than before: what tasks have of them stays until they have ended.
  void Put(FoundDevices found);
  // Goes as far with them as it can. A device that is gone is a fault where a task has begun on it;
  // one that is about to will be refused.
  DeviceHealth::Outcome Step(const DevicesInUse& in_use);
  // As the devices are known here, of as many as are.
  void Renumber(std::vector<v1::DeviceSample>& samples) const;

  // What has happened since the last look, judged; devices() is up to date afterwards.
  DeviceHealth::Outcome Look();
  // As if the monitor had told it.
  DeviceHealth::Outcome Judge(const std::vector<DeviceEvent>& events);
  // Why the device cannot be handed on yet; empty: it is clean.
  std::string WhyNotClean(int index);

 private:
  DeviceWatch(const DeviceOptions& options, ProbedDevices found, DeviceHealth health);
  // The index of what the driver has under a number; none: it is not on offer.
  std::optional<int> FindIndex(int number) const;

  std::vector<v1::Device> devices_;
  std::map<int, int> indexes_;              // by the driver's numbers
  std::unique_ptr<DeviceMonitor> monitor_;  // none: nothing ever happens to these devices
  std::unique_ptr<DeviceFinder> finder_;    // until it is taken
  DeviceHealth health_;
  std::optional<std::vector<v1::Device>> found_;  // while some of it is still to be taken over
  // Of devices_, by uuid, those that are not there any more, and whether that was judged.
  std::map<std::string, bool> gone_;
};

}  // namespace berth

#endif  // BERTH_AGENT_DEVICE_WATCH_H_
