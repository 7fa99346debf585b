#ifndef BERTH_AGENT_DEVICES_SIMULATED_H_
#define BERTH_AGENT_DEVICES_SIMULATED_H_

// Devices that exist in the agent's configuration only. The tasks that get them are real.

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"

#include "agent/devices/device_probe.h"

namespace berth {

// One [[simulated]] table: `count` devices alike.
struct SimulatedDevices {
  std::string device_class;
  int count = 0;
  int64_t memory_mib = 0;
};

class SimulatedProbe : public DeviceProbe {
 public:
  // `node` makes the uuids unique in the center, so that agents on one machine share no lock.
  // `script`: what became of them meanwhile (inventory_script.h); empty: nothing.
  SimulatedProbe(std::string node, std::vector<SimulatedDevices> groups, std::string script = "")
      : node_(std::move(node)), groups_(std::move(groups)), script_(std::move(script)) {}
  // The groups one after the other, indexes from 0. InvalidArgument names the table that is wrong.
  absl::StatusOr<ProbedDevices> Probe() override;

 private:
  const std::string node_;
  const std::vector<SimulatedDevices> groups_;
  const std::string script_;
};

}  // namespace berth

#endif  // BERTH_AGENT_DEVICES_SIMULATED_H_
