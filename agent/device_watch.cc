#include "agent/device_watch.h"

#include "absl/strings/str_cat.h"

#include "common/log.h"
#include "common/status_macros.h"

namespace berth {

absl::StatusOr<DeviceWatch> DeviceWatch::Start(const DeviceOptions& options,
                                               const std::string& data_dir) {
  ASSIGN_OR_RETURN(std::vector<v1::Device> devices, FindDevices(options));
  DeviceHealth health(data_dir + "/device-health");
  RETURN_IF_ERROR(health.Load());
  health.Mark(devices);
  for (const v1::Device& device : devices) {
    if (device.health() != v1::DEVICE_HEALTH_OK) {
      LogWarning("device is not well", {
                                           {"device", device.index()        },
                                           {"uuid",   device.uuid()         },
                                           {"why",    device.health_detail()}
      });
    }
  }
  return DeviceWatch(std::move(devices), MakeDeviceMonitor(options), std::move(health));
}

DeviceHealth::Outcome DeviceWatch::Look() {
  return Judge(monitor_ == nullptr ? std::vector<DeviceEvent>() : monitor_->TakeEvents());
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
  const auto processes =
      monitor_ == nullptr ? std::vector<DeviceProcess>() : monitor_->ProcessesOn(index);
  return processes.empty()
             ? ""
             : absl::StrCat("device ", index, " is in use by process ", processes.front().pid);
}

}  // namespace berth
