#ifndef BERTH_AGENT_DEVICES_ASCEND_H_
#define BERTH_AGENT_DEVICES_ASCEND_H_

// Ascend devices, asked by way of the driver's own tool.

#include <string>
#include <utility>

#include "absl/status/statusor.h"

#include "agent/devices/device_probe.h"

namespace berth {

inline constexpr char kNpuSmi[] = "npu-smi";

class AscendProbe : public DeviceProbe {
 public:
  // `node` makes the uuids unique in the center: the tool tells bus addresses, which are unique on
  // one machine only. `program` is looked up in PATH if it has no slash.
  explicit AscendProbe(std::string node, std::string program = kNpuSmi)
      : node_(std::move(node)), program_(std::move(program)) {}
  // Runs the tool, which takes a second or two. Indexes are those of /dev/davinciN. A chip whose
  // health is neither OK nor Warning is quarantined.
  absl::StatusOr<ProbedDevices> Probe() override;

 private:
  const std::string node_;
  const std::string program_;
};

}  // namespace berth

#endif  // BERTH_AGENT_DEVICES_ASCEND_H_
