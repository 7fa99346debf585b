#ifndef BERTH_AGENT_DEVICES_ASCEND_METER_H_
#define BERTH_AGENT_DEVICES_ASCEND_METER_H_

// What Ascend chips are busy with, by DCMI, which stays loaded meanwhile.

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"

#include "agent/devices/ascend_chip.h"
#include "agent/devices/dcmi_library.h"
#include "agent/devices/device_meter.h"

namespace berth {

class AscendMeter : public DeviceMeter {
 public:
  // As DcmiLibrary::Load.
  static absl::StatusOr<std::unique_ptr<AscendMeter>> Open(const std::string& library);

  // Of whole chips: DCMI does not measure vNPUs apart. Utilization is that of the AI cores.
  std::vector<v1::DeviceSample> Read() override;

 private:
  AscendMeter(std::unique_ptr<DcmiLibrary> dcmi, std::vector<AscendChip> chips)
      : dcmi_(std::move(dcmi)), chips_(std::move(chips)) {}

  const std::unique_ptr<DcmiLibrary> dcmi_;
  const std::vector<AscendChip> chips_;  // by physical id
};

}  // namespace berth

#endif  // BERTH_AGENT_DEVICES_ASCEND_METER_H_
