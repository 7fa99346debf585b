#ifndef BERTH_AGENT_DEVICES_NVIDIA_MONITOR_H_
#define BERTH_AGENT_DEVICES_NVIDIA_MONITOR_H_

// NVIDIA devices as NVML sees them over time: Xid events, memory errors, devices that are gone,
// processes. NVML stays loaded meanwhile.

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"

#include "agent/devices/device_event.h"
#include "agent/devices/nvidia_instance.h"
#include "agent/devices/nvml_library.h"

namespace berth {

class NvidiaMonitor : public DeviceMonitor {
 public:
  // As NvmlLibrary::Load. Memory errors up to now are not news.
  static absl::StatusOr<std::unique_ptr<NvidiaMonitor>> Open(const std::string& library);
  ~NvidiaMonitor() override;

  std::vector<DeviceEvent> TakeEvents() override;
  std::vector<DeviceProcess> ProcessesOn(int index) override;

 private:
  struct Watched {
    NvidiaInstance instance;
    unsigned long long corrected = 0;
    unsigned long long uncorrected = 0;
    bool lost = false;
  };

  explicit NvidiaMonitor(std::unique_ptr<NvmlLibrary> nvml) : nvml_(std::move(nvml)) {}
  void Watch();
  void TakeXids(std::vector<DeviceEvent>& events);
  // An error of a device that is divided is one of every instance that it may have come from.
  void AddXid(const NvmlEvent& event, std::vector<DeviceEvent>& events) const;
  void TakeMemoryErrors(Watched& device, std::vector<DeviceEvent>& events);
  // The count's growth since the last call; 0 where it cannot be told. `result` is NVML's.
  int64_t Growth(NvmlDevice handle, int error_type, unsigned long long& count, int& result) const;

  const std::unique_ptr<NvmlLibrary> nvml_;
  NvmlEventSet events_ = nullptr;  // none: the driver tells no events
  std::vector<Watched> devices_;   // that could be read at the start
};

}  // namespace berth

#endif  // BERTH_AGENT_DEVICES_NVIDIA_MONITOR_H_
