#ifndef BERTH_AGENT_DEVICES_NPU_SMI_TOOL_H_
#define BERTH_AGENT_DEVICES_NPU_SMI_TOOL_H_

// Huawei's npu-smi, for nodes that have the driver's tool but not its library.

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"

#include "agent/devices/device_meter.h"
#include "agent/devices/npu_smi.h"

namespace berth {

inline constexpr char kNpuSmi[] = "npu-smi";

// Runs `program info`, which is looked up in PATH if it has no slash; that takes a second or two.
// NotFound: there is none. Unavailable: it fails, hangs, or its table has no chip.
absl::StatusOr<std::vector<NpuChip>> AskNpuSmi(const std::string& program);

// What the chips are busy with, as the tool tells it. Of a card with two chips it tells the power
// once, at the first.
class NpuSmiMeter : public DeviceMeter {
 public:
  // NotFound: there is no such program.
  static absl::StatusOr<std::unique_ptr<NpuSmiMeter>> Open(const std::string& program);

  std::vector<v1::DeviceSample> Read() override;

 private:
  explicit NpuSmiMeter(std::string path) : path_(std::move(path)) {}

  const std::string path_;
};

}  // namespace berth

#endif  // BERTH_AGENT_DEVICES_NPU_SMI_TOOL_H_
