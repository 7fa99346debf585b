#ifndef BERTH_AGENT_DEVICES_ASCEND_MONITOR_H_
#define BERTH_AGENT_DEVICES_ASCEND_MONITOR_H_

// Ascend devices as DCMI sees them over time: alarms, and chips that are gone. DCMI stays loaded
// meanwhile.

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"

#include "agent/devices/ascend_chip.h"
#include "agent/devices/device_event.h"

namespace berth {

class AscendMonitor : public DeviceMonitor {
 public:
  // As DcmiLibrary::Load. Alarms up to now are not news: the probe tells them.
  static absl::StatusOr<std::unique_ptr<AscendMonitor>> Open(const std::string& library);

  // An alarm is news when it is graver than the last one. What befalls a chip befalls each of its
  // vNPUs.
  std::vector<DeviceEvent> TakeEvents() override;
  // None: DCMI does not say how many processes it may write of.
  std::vector<DeviceProcess> ProcessesOn(int index) override;

 private:
  struct Watched {
    AscendChip chip;
    unsigned int health = 0;
  };

  AscendMonitor(std::unique_ptr<DcmiLibrary> dcmi, const std::vector<AscendChip>& chips);
  // kDcmiHealthGone also where the driver does not know the chip any more; as before where it does
  // not answer.
  unsigned int HealthOf(const Watched& watched) const;

  const std::unique_ptr<DcmiLibrary> dcmi_;
  std::vector<Watched> chips_;
};

}  // namespace berth

#endif  // BERTH_AGENT_DEVICES_ASCEND_MONITOR_H_
