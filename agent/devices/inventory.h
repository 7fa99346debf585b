#ifndef BERTH_AGENT_DEVICES_INVENTORY_H_
#define BERTH_AGENT_DEVICES_INVENTORY_H_

// How what a node has becomes what is found there, while tasks have devices of it. Pure.

#include <map>
#include <set>
#include <string>
#include <vector>

#include "proto/resources.pb.h"

namespace berth {

// The same one, divided in the same way: a part that is made anew may have another's uuid.
bool IsSameDevice(const v1::Device& a, const v1::Device& b);
// The same one, and what a task needs to have it is the same.
bool IsSameToTasks(const v1::Device& a, const v1::Device& b);

struct InventoryStep {
  std::vector<v1::Device> devices;      // what the node has from now on, by index
  std::map<int, int> indexes;           // those there, by the numbers that the driver has for them
  std::vector<v1::Device> gone_in_use;  // tasks have them, and they are not there any more
  bool is_last = true;  // false: what tasks have holds something back until they have ended
};

// A device that a task has stays what it is, under its index, even if it is gone. No device is
// offered beside a part of itself. Devices that were known keep their health. `in_use`: uuids.
InventoryStep StepInventory(const std::vector<v1::Device>& known,
                            const std::vector<v1::Device>& found,
                            const std::set<std::string>& in_use);

}  // namespace berth

#endif  // BERTH_AGENT_DEVICES_INVENTORY_H_
