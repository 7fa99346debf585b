#include "agent/devices/nvidia_monitor.h"

#include <algorithm>

#include "common/log.h"
#include "common/status_macros.h"

namespace berth {
namespace {

// Of one look; the rest is taken at the next.
constexpr int kEventsMax = 256;
constexpr unsigned int kProcessesMax = 4096;

}  // namespace

absl::StatusOr<std::unique_ptr<NvidiaMonitor>> NvidiaMonitor::Open(const std::string& library) {
  ASSIGN_OR_RETURN(std::unique_ptr<NvmlLibrary> nvml, NvmlLibrary::Load(library));
  if (!nvml->missing_function.empty()) {
    LogInfo("nvml is old; some of the devices' health or use is not seen",
            {
                {"missing", nvml->missing_function}
    });
  }
  std::unique_ptr<NvidiaMonitor> monitor(new NvidiaMonitor(std::move(nvml)));
  monitor->Watch();
  return monitor;
}

NvidiaMonitor::~NvidiaMonitor() {
  if (events_ != nullptr && nvml_->free_event_set != nullptr) {
    nvml_->free_event_set(events_);
  }
}

void NvidiaMonitor::Watch() {
  unsigned int count = 0;
  if (nvml_->get_count(&count) != kNvmlSuccess) {
    return;
  }
  if (nvml_->create_event_set == nullptr || nvml_->wait_for_event == nullptr ||
      nvml_->register_events == nullptr || nvml_->create_event_set(&events_) != kNvmlSuccess) {
    events_ = nullptr;
  }
  NvmlDevice registered = nullptr;  // instances of one device follow each other
  for (const NvidiaInstance& instance : ListInstances(*nvml_, count).found) {
    Watched& device = devices_.emplace_back(Watched{.instance = instance});
    if (events_ != nullptr && instance.parent != registered &&
        nvml_->register_events(instance.parent, kNvmlEventXid, events_) != kNvmlSuccess) {
      LogInfo("device tells no Xid events", {
                                                {"device", instance.index}
      });
    }
    registered = instance.parent;
    std::vector<DeviceEvent> old;
    TakeMemoryErrors(device, old);
    device.lost = false;
  }
}

std::vector<DeviceEvent> NvidiaMonitor::TakeEvents() {
  std::vector<DeviceEvent> events;
  TakeXids(events);
  for (Watched& device : devices_) {
    if (!device.lost) {
      TakeMemoryErrors(device, events);
    }
  }
  return events;
}

void NvidiaMonitor::TakeXids(std::vector<DeviceEvent>& events) {
  NvmlEvent event;
  for (int i = 0; i < kEventsMax && events_ != nullptr; ++i) {
    if (nvml_->wait_for_event(events_, &event, 0) != kNvmlSuccess) {
      return;
    }
    if (event.type == kNvmlEventXid) {
      AddXid(event, events);
    }
  }
}

void NvidiaMonitor::AddXid(const NvmlEvent& event, std::vector<DeviceEvent>& events) const {
  for (const Watched& device : devices_) {
    const NvidiaInstance& instance = device.instance;
    const bool other_instance = instance.is_mig && event.gpu_instance != kNvmlNoInstance &&
                                event.gpu_instance != instance.gpu_instance;
    if (instance.parent == event.device && !other_instance) {
      events.push_back({DeviceEventKind::kXid, instance.index, static_cast<int64_t>(event.data)});
    }
  }
}

void NvidiaMonitor::TakeMemoryErrors(Watched& device, std::vector<DeviceEvent>& events) {
  const int index = device.instance.index;
  // The counts are the whole device's.
  const NvmlDevice handle = device.instance.parent;
  int result = kNvmlSuccess;
  const int64_t uncorrected = Growth(handle, kNvmlUncorrected, device.uncorrected, result);
  if (result == kNvmlGpuIsLost) {
    device.lost = true;
    events.push_back({DeviceEventKind::kLostDevice, index, 0});
    return;
  }
  if (uncorrected > 0) {
    events.push_back({DeviceEventKind::kUncorrectedEcc, index, uncorrected});
  }
  const int64_t corrected = Growth(handle, kNvmlCorrected, device.corrected, result);
  if (corrected > 0) {
    events.push_back({DeviceEventKind::kCorrectedEcc, index, corrected});
  }
}

int64_t NvidiaMonitor::Growth(NvmlDevice handle, int error_type, unsigned long long& count,
                              int& result) const {
  unsigned long long now = 0;
  if (nvml_->get_total_ecc_errors == nullptr) {
    return 0;
  }
  result = nvml_->get_total_ecc_errors(handle, error_type, kNvmlSinceReboot, &now);
  if (result != kNvmlSuccess) {
    return 0;
  }
  // A reset of the device begins again at zero.
  const unsigned long long before = now < count ? 0 : count;
  count = now;
  return static_cast<int64_t>(now - before);
}

std::vector<DeviceProcess> NvidiaMonitor::ProcessesOn(int index) {
  std::vector<DeviceProcess> found;
  const auto device =
      std::find_if(devices_.begin(), devices_.end(),
                   [index](const Watched& watched) { return watched.instance.index == index; });
  if (device == devices_.end() || nvml_->get_compute_processes == nullptr) {
    return found;
  }
  std::vector<NvmlProcess> processes(kProcessesMax);
  auto count = static_cast<unsigned int>(processes.size());
  if (nvml_->get_compute_processes(device->instance.handle, &count, processes.data()) !=
      kNvmlSuccess) {
    return found;
  }
  for (unsigned int i = 0; i < std::min(count, kProcessesMax); ++i) {
    found.push_back({index, processes[i].pid});
  }
  std::sort(found.begin(), found.end(),
            [](const DeviceProcess& a, const DeviceProcess& b) { return a.pid < b.pid; });
  return found;
}

}  // namespace berth
