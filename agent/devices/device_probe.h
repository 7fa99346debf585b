#ifndef BERTH_AGENT_DEVICES_DEVICE_PROBE_H_
#define BERTH_AGENT_DEVICES_DEVICE_PROBE_H_

// One way to find the devices of this machine.

#include <cstddef>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

#include "proto/resources.pb.h"

namespace berth {

// Of the name of a class, as the scheduler takes it.
inline constexpr size_t kClassNameBytesMax = 63;

// Parts of devices are numbered from here, whole ones below it.
inline constexpr int kFirstPartIndex = 100;

struct ProbedDevices {
  std::vector<v1::Device> devices;  // by index
  // Indexes of devices that are there and cannot be read: lost from the bus, say. In order.
  std::vector<int> unreadable;
  // Devices, or cards of them, that are there and whose indexes cannot be told.
  int nameless = 0;
  // Whether it would tell a device that is divided by its parts, and not as a whole one.
  bool tells_parts = true;
  std::vector<std::string> complaints;  // what cannot be used, and why; for people
};

// Owned by whoever looks for devices; one thread.
class DeviceProbe {
 public:
  virtual ~DeviceProbe() = default;
  // NotFound: this kind of device cannot be on this machine, its driver is not. Any other error:
  // devices may be there and cannot be told.
  virtual absl::StatusOr<ProbedDevices> Probe() = 0;
};

}  // namespace berth

#endif  // BERTH_AGENT_DEVICES_DEVICE_PROBE_H_
