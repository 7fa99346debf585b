#ifndef BERTH_AGENT_DEVICES_DEVICE_EVENT_H_
#define BERTH_AGENT_DEVICES_DEVICE_EVENT_H_

// What a driver, or a script in its place, tells about a device while the agent runs.

#include <cstdint>
#include <string>
#include <vector>

namespace berth {

enum class DeviceEventKind {
  kXid,             // an error of NVIDIA's driver; `code` is its number
  kUncorrectedEcc,  // memory errors that reached a program; `code` counts the new ones
  kCorrectedEcc,    // `code` counts those that are new since the last look
  kLostLink,        // a fast link to another device is down
  kLostDevice,      // it does not answer any more
  kAlarm,           // its driver calls it unwell; `code` is 1 (minor) to 3 (critical)
  kStuckTask,       // a task that was killed still holds it
  kCleared,         // an operator, or a script, calls it good again
};

struct DeviceEvent {
  DeviceEventKind kind = DeviceEventKind::kXid;
  int index = 0;  // of the device
  int64_t code = 0;
  friend bool operator==(const DeviceEvent&, const DeviceEvent&) = default;
};

// A process that has a context on a device.
struct DeviceProcess {
  int index = 0;
  int64_t pid = 0;
  friend bool operator==(const DeviceProcess&, const DeviceProcess&) = default;
};

// Watches the devices of this machine. Owned by whoever asks; one thread.
class DeviceMonitor {
 public:
  virtual ~DeviceMonitor() = default;
  // What has happened since the last call, in order. Never waits.
  virtual std::vector<DeviceEvent> TakeEvents() = 0;
  // Processes on the device now, by pid. A device that cannot tell has none.
  virtual std::vector<DeviceProcess> ProcessesOn(int index) = 0;
};

}  // namespace berth

#endif  // BERTH_AGENT_DEVICES_DEVICE_EVENT_H_
