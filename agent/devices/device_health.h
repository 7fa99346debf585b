#ifndef BERTH_AGENT_DEVICES_DEVICE_HEALTH_H_
#define BERTH_AGENT_DEVICES_DEVICE_HEALTH_H_

// The health of this node's devices, which outlives the agent: a device that was bad is bad until
// it is cleared, whoever restarts what. Owned by the Agent; one thread.

#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"

#include "agent/devices/device_event.h"
#include "proto/resources.pb.h"

namespace berth {

class DeviceHealth {
 public:
  // `path` is the file of the verdicts, one line per device that is not well.
  explicit DeviceHealth(std::string path) : path_(std::move(path)) {}

  // Reads the verdicts of earlier agents, if there are any.
  absl::Status Load();
  // Writes what is known into the devices' health fields; the others stay as the probe found them.
  void Mark(std::vector<v1::Device>& devices) const;

  struct Outcome {
    bool changed = false;  // a device's health or the reason of it, or which devices there are
    // Devices whose tasks must end, with why.
    std::vector<std::pair<int, std::string>> failed;
  };
  // Judges the events. Health only gets worse, but for kCleared. An error: the verdicts could not
  // be written; they count all the same.
  absl::Status Apply(const std::vector<DeviceEvent>& events, const std::vector<v1::Device>& devices,
                     Outcome& outcome);

 private:
  struct Verdict {
    v1::DeviceHealth health = v1::DEVICE_HEALTH_OK;
    std::string detail;
  };
  absl::Status Save() const;

  const std::string path_;
  std::map<std::string, Verdict> verdicts_;  // by the device's uuid
  std::set<std::string> cleared_;            // uuids, since the start
};

}  // namespace berth

#endif  // BERTH_AGENT_DEVICES_DEVICE_HEALTH_H_
