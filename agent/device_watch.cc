#include "agent/device_watch.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "agent/devices/inventory.h"
#include "common/log.h"
#include "common/status_macros.h"

namespace berth {
namespace {

std::map<int, int> SameIndexes(const std::vector<v1::Device>& devices) {
  std::map<int, int> indexes;
  for (const v1::Device& device : devices) {
    indexes[device.index()] = device.index();
  }
  return indexes;
}

std::string ListOf(const std::vector<v1::Device>& devices) {
  return absl::StrJoin(devices, " ", [](std::string* out, const v1::Device& device) {
    absl::StrAppend(out, device.index(), ":", device.device_class(), ":", device.uuid());
  });
}

}  // namespace

absl::StatusOr<DeviceWatch> DeviceWatch::Start(const DeviceOptions& options,
                                               const std::string& data_dir) {
  ASSIGN_OR_RETURN(ProbedDevices found, FindDevices(options));
  DeviceHealth health(data_dir + "/device-health");
  RETURN_IF_ERROR(health.Load());
  DeviceWatch watch(options, std::move(found), std::move(health));
  for (const v1::Device& device : watch.devices_) {
    if (device.health() != v1::DEVICE_HEALTH_OK) {
      LogWarning("device is not well", {
                                           {"device", device.index()        },
                                           {"uuid",   device.uuid()         },
                                           {"why",    device.health_detail()}
      });
    }
  }
  return watch;
}

DeviceWatch::DeviceWatch(const DeviceOptions& options, ProbedDevices found, DeviceHealth health)
    : devices_(found.devices),
      indexes_(SameIndexes(devices_)),
      monitor_(MakeDeviceMonitor(options)),
      finder_(MayChange(options) ? std::make_unique<DeviceFinder>(options, std::move(found))
                                 : nullptr),
      health_(std::move(health)) {
  health_.Mark(devices_);
}

std::map<int, v1::Device> DeviceWatch::DevicesAtHand() const {
  std::map<int, v1::Device> devices;
  for (const v1::Device& device : devices_) {
    if (!gone_.contains(device.uuid())) {
      devices[device.index()] = device;
    }
  }
  return devices;
}

void DeviceWatch::Put(FoundDevices found) {
  found_ = std::move(found.devices);
  if (found.monitor != nullptr) {
    monitor_ = std::move(found.monitor);
  }
}

DeviceHealth::Outcome DeviceWatch::Step(const DevicesInUse& in_use) {
  DeviceHealth::Outcome outcome;
  if (!found_.has_value()) {
    return outcome;
  }
  InventoryStep step = StepInventory(devices_, *found_, in_use.all);
  std::vector<DeviceEvent> lost;
  std::map<std::string, bool> gone;
  for (const v1::Device& device : step.gone_in_use) {
    const auto known = gone_.find(device.uuid());
    bool& is_judged = gone[device.uuid()];
    is_judged = known != gone_.end() && known->second;
    if (!is_judged && in_use.begun.contains(device.uuid())) {
      lost.push_back({DeviceEventKind::kLostDevice, device.index(), 0});
      is_judged = true;
    }
  }
  const bool others_at_hand = gone != gone_;
  devices_.swap(step.devices);
  const std::vector<v1::Device>& before = step.devices;
  indexes_ = std::move(step.indexes);
  gone_ = std::move(gone);
  if (step.is_last) {
    found_.reset();
  }
  outcome = Judge(lost);
  if (!std::equal(devices_.begin(), devices_.end(), before.begin(), before.end(), IsSameToTasks)) {
    LogInfo("inventory changed", {
                                     {"before", ListOf(before)  },
                                     {"after",  ListOf(devices_)}
    });
    outcome.changed = true;
  }
  outcome.changed = outcome.changed || others_at_hand;
  return outcome;
}

std::optional<int> DeviceWatch::FindIndex(int number) const {
  const auto found = indexes_.find(number);
  return found == indexes_.end() ? std::nullopt : std::optional(found->second);
}

void DeviceWatch::Renumber(std::vector<v1::DeviceSample>& samples) const {
  std::erase_if(samples, [this](v1::DeviceSample& sample) {
    const std::optional<int> index = FindIndex(sample.index());
    sample.set_index(index.value_or(-1));
    return !index.has_value();
  });
}

DeviceHealth::Outcome DeviceWatch::Look() {
  std::vector<DeviceEvent> events =
      monitor_ == nullptr ? std::vector<DeviceEvent>() : monitor_->TakeEvents();
  std::erase_if(events, [this](DeviceEvent& event) {
    const std::optional<int> index = FindIndex(event.index);
    event.index = index.value_or(-1);
    return !index.has_value();
  });
  return Judge(events);
}

DeviceHealth::Outcome DeviceWatch::Judge(const std::vector<DeviceEvent>& events) {
  DeviceHealth::Outcome outcome;
  const absl::Status saved = health_.Apply(events, devices_, outcome);
  if (!saved.ok()) {
    LogError("device health cannot be kept", {
                                                 {"error", saved.message()}
    });
  }
  health_.Mark(devices_);
  return outcome;
}

std::string DeviceWatch::WhyNotClean(int index) {
  const auto number = std::find_if(indexes_.begin(), indexes_.end(),
                                   [index](const auto& entry) { return entry.second == index; });
  const auto processes = monitor_ == nullptr || number == indexes_.end()
                             ? std::vector<DeviceProcess>()
                             : monitor_->ProcessesOn(number->first);
  return processes.empty()
             ? ""
             : absl::StrCat("device ", index, " is in use by process ", processes.front().pid);
}

}  // namespace berth
