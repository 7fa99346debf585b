#ifndef BERTH_AGENT_DEVICES_DEVICE_METER_H_
#define BERTH_AGENT_DEVICES_DEVICE_METER_H_

// One way to tell what the devices of this machine are busy with.

#include <vector>

#include "proto/resources.pb.h"

namespace berth {

// Owned by whoever asks; one thread, which need not be that of the devices' monitor.
class DeviceMeter {
 public:
  // No device is busier than this, whatever a driver says.
  static constexpr int kPercentMax = 100;

  virtual ~DeviceMeter() = default;
  // Of each device something of which is known now, by index. May take as long as the driver does.
  virtual std::vector<v1::DeviceSample> Read() = 0;
};

}  // namespace berth

#endif  // BERTH_AGENT_DEVICES_DEVICE_METER_H_
