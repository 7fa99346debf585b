#ifndef BERTH_AGENT_DEVICES_HEALTH_POLICY_H_
#define BERTH_AGENT_DEVICES_HEALTH_POLICY_H_

// What an event means for a device's health and for the task on it. One table; pure.

#include <string>

#include "agent/devices/device_event.h"
#include "proto/resources.pb.h"

namespace berth {

struct HealthVerdict {
  v1::DeviceHealth health = v1::DEVICE_HEALTH_OK;  // at least this bad from now on
  bool ends_task = false;  // what runs on the device cannot come to a good end
  std::string meaning;     // "Xid 79: the device has fallen off the bus"
};

// Xid numbers as in NVIDIA's "XID Errors" (docs.nvidia.com/deploy/xid-errors): errors of the
// program leave the device good, those of memory and links that the hardware has mended make it
// suspect, those that it has not mended quarantine it. A number that is not in the table: suspect.
HealthVerdict JudgeEvent(const DeviceEvent& event);

}  // namespace berth

#endif  // BERTH_AGENT_DEVICES_HEALTH_POLICY_H_
