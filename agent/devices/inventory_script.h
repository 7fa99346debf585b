#ifndef BERTH_AGENT_DEVICES_INVENTORY_SCRIPT_H_
#define BERTH_AGENT_DEVICES_INVENTORY_SCRIPT_H_

// What became of simulated devices, read from a file that tests and exercises write. As it is at
// each look: without a line, or a file, a device is as it was declared.
//
//   remove device 3
//   divide device 0 into 2 sim-a100-80g-mig-3g.40gb

#include <string>

#include "agent/devices/device_probe.h"

namespace berth {

// A part has an index as MIG instances have theirs, and its share of the memory. Lines that are
// none of these are complained of.
void ApplyInventoryScript(const std::string& path, ProbedDevices& found);

}  // namespace berth

#endif  // BERTH_AGENT_DEVICES_INVENTORY_SCRIPT_H_
