#include "agent/devices/inventory.h"

#include <algorithm>
#include <utility>

namespace berth {
namespace {

const v1::Device* Find(const std::vector<v1::Device>& devices, const v1::Device& wanted) {
  const auto found = std::find_if(devices.begin(), devices.end(), [&wanted](const v1::Device& d) {
    return IsSameDevice(d, wanted);
  });
  return found == devices.end() ? nullptr : &*found;
}

// They cannot both be on offer.
bool Collide(const v1::Device& a, const v1::Device& b) {
  return a.index() == b.index() || a.uuid() == b.uuid() || a.part_of() == b.uuid() ||
         b.part_of() == a.uuid();
}

// Those that tasks have.
void KeepUsed(const std::vector<v1::Device>& known, const std::vector<v1::Device>& found,
              const std::set<std::string>& in_use, InventoryStep& step) {
  for (const v1::Device& device : known) {
    if (!in_use.contains(device.uuid())) {
      continue;
    }
    v1::Device& kept = step.devices.emplace_back(device);
    const v1::Device* there = Find(found, device);
    if (there == nullptr) {
      step.gone_in_use.push_back(device);
      step.is_last = false;
      continue;
    }
    kept.set_ring(there->ring());
    step.indexes[there->index()] = device.index();
    step.is_last = step.is_last && IsSameToTasks(*there, device);
  }
}

}  // namespace

bool IsSameDevice(const v1::Device& a, const v1::Device& b) {
  return a.uuid() == b.uuid() && a.device_class() == b.device_class();
}

bool IsSameToTasks(const v1::Device& a, const v1::Device& b) {
  return IsSameDevice(a, b) && a.index() == b.index() && a.minor_number() == b.minor_number() &&
         std::equal(a.files().begin(), a.files().end(), b.files().begin(), b.files().end());
}

InventoryStep StepInventory(const std::vector<v1::Device>& known,
                            const std::vector<v1::Device>& found,
                            const std::set<std::string>& in_use) {
  InventoryStep step;
  KeepUsed(known, found, in_use, step);
  const size_t kept = step.devices.size();
  for (const v1::Device& device : found) {
    const auto end = step.devices.begin() + static_cast<std::ptrdiff_t>(kept);
    if (std::any_of(step.devices.begin(), end,
                    [&device](const v1::Device& used) { return IsSameDevice(used, device); })) {
      continue;
    }
    if (std::any_of(step.devices.begin(), end,
                    [&device](const v1::Device& used) { return Collide(used, device); })) {
      step.is_last = false;
      continue;
    }
    v1::Device& taken = step.devices.emplace_back(device);
    step.indexes[device.index()] = device.index();
    if (const v1::Device* before = Find(known, device); before != nullptr) {
      taken.set_health(before->health());
      taken.set_health_detail(before->health_detail());
    }
  }
  std::sort(step.devices.begin(), step.devices.end(),
            [](const v1::Device& a, const v1::Device& b) { return a.index() < b.index(); });
  return step;
}

}  // namespace berth
