#ifndef BERTH_AGENT_DEVICES_SAMPLE_SCRIPT_H_
#define BERTH_AGENT_DEVICES_SAMPLE_SCRIPT_H_

// What simulated devices are busy with, read from a file that tests and exercises write: one line
// per device, each value with its name, in any order, and what is not named not known.
//
//   device 3 utilization 97 memory 58000 power 410
//
// Percent, MiB and watts.

#include <string>
#include <utility>
#include <vector>

#include "agent/devices/device_meter.h"

namespace berth {

class SampleScript : public DeviceMeter {
 public:
  // No file: nothing is known yet.
  explicit SampleScript(std::string path) : path_(std::move(path)) {}

  // As the file is now. A line that is none of the above tells nothing, nor does a second one of
  // the same device.
  std::vector<v1::DeviceSample> Read() override;

 private:
  const std::string path_;
};

}  // namespace berth

#endif  // BERTH_AGENT_DEVICES_SAMPLE_SCRIPT_H_
