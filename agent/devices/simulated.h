#ifndef BERTH_AGENT_DEVICES_SIMULATED_H_
#define BERTH_AGENT_DEVICES_SIMULATED_H_

// Devices that the configuration declares.

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

#include "agent/devices/device_probe.h"
#include "proto/resources.pb.h"

namespace berth::agent {

// Numbered from 0 through all groups; the uuid is "SIM-<node>-<index>".
std::vector<v1::Device> MakeSimulatedDevices(const std::vector<SimulatedGroup>& groups,
                                             absl::string_view node);

}  // namespace berth::agent

#endif  // BERTH_AGENT_DEVICES_SIMULATED_H_
