#ifndef BERTH_AGENT_DEVICES_ASCEND_H_
#define BERTH_AGENT_DEVICES_ASCEND_H_

// Ascend devices, by DCMI, the driver's library, or where that is not to be had by the driver's own
// tool.

#include <string>
#include <utility>

#include "absl/status/statusor.h"

#include "agent/devices/dcmi_library.h"
#include "agent/devices/device_probe.h"
#include "agent/devices/npu_smi_tool.h"

namespace berth {

class AscendProbe : public DeviceProbe {
 public:
  // `node` makes the uuids unique in the center: the tool tells bus addresses, which are unique on
  // one machine only. `program` is looked up in PATH if it has no slash.
  explicit AscendProbe(std::string node, std::string program = kNpuSmi,
                       std::string library = kDcmiLibrary)
      : node_(std::move(node)), program_(std::move(program)), library_(std::move(library)) {}
  // Loads, asks and unloads the library each time; the tool takes a second or two. Indexes are
  // those of /dev/davinciN, of vNPUs (which only the library tells) those of /dev/vdavinciN. A chip
  // whose health is neither OK nor Warning is quarantined.
  absl::StatusOr<ProbedDevices> Probe() override;

 private:
  absl::StatusOr<ProbedDevices> ProbeByTool() const;

  const std::string node_;
  const std::string program_;
  const std::string library_;
};

}  // namespace berth

#endif  // BERTH_AGENT_DEVICES_ASCEND_H_
