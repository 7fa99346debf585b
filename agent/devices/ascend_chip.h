#ifndef BERTH_AGENT_DEVICES_ASCEND_CHIP_H_
#define BERTH_AGENT_DEVICES_ASCEND_CHIP_H_

// Ascend devices as DCMI tells them: whole chips, and the vNPUs of chips that are divided, each a
// device of a class of its own. A chip that is divided is none itself.

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "agent/devices/dcmi_library.h"
#include "agent/devices/device_probe.h"

namespace berth {

// A chip, by its place, and the devices that it is or that are made of it.
struct AscendChip {
  int card = 0;
  int device = 0;                   // on the card
  int physical_id = 0;              // N of /dev/davinciN
  std::vector<unsigned int> vnpus;  // N of /dev/vdavinciN, and the indexes; empty: it is whole
};

struct AscendChips {
  std::vector<AscendChip> found;
  // About those whose place cannot be told, which are left out.
  std::vector<std::string> complaints;
  bool tells_parts = true;  // false: a chip that seems whole may be divided
};

absl::StatusOr<AscendChips> ListAscendChips(const DcmiLibrary& dcmi);

// `node` as for AscendProbe.
absl::StatusOr<ProbedDevices> ProbeAscendChips(const DcmiLibrary& dcmi, const std::string& node);

// The class of a vNPU by the template that it is made from: "ascend-910b3", "vir05_1c_16g" ->
// "ascend-910b3-vnpu-vir05-1c-16g".
std::string VnpuClass(absl::string_view whole, absl::string_view name);

}  // namespace berth

#endif  // BERTH_AGENT_DEVICES_ASCEND_CHIP_H_
