#ifndef BERTH_AGENT_DEVICES_NPU_SMI_H_
#define BERTH_AGENT_DEVICES_NPU_SMI_H_

// The table that Huawei's `npu-smi info` writes, read. Pure.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace berth {

// One chip: two rows of the table.
struct NpuChip {
  int npu = 0;             // the card
  int chip = 0;            // on the card
  int physical_id = 0;     // N of /dev/davinciN
  std::string name;        // "910B3", "Ascend910"
  std::string health;      // "OK", "Warning", "Alarm", "Critical", "UNKNOWN"
  std::string bus_id;      // "0000:C1:00.0"
  int64_t memory_mib = 0;  // HBM, or the chip's other memory where it has none
  int64_t memory_used_mib = 0;
  std::optional<int> utilization_percent;  // of the AI cores
  std::optional<int> power_watts;
  std::vector<int64_t> pids;
};

// In the table's order. Columns are found by their separators, not by their widths, which differ by
// version; older versions have no Phy-ID, cards have one chip each then. Lines that are no rows are
// left out; a table without any chip is empty.
std::vector<NpuChip> ParseNpuSmiInfo(absl::string_view text);

// The center's name of a model: "910B3" -> "ascend-910b3", "Ascend910" -> "ascend-910".
std::string AscendClass(absl::string_view name);

}  // namespace berth

#endif  // BERTH_AGENT_DEVICES_NPU_SMI_H_
