#include "agent/devices/ascend_meter.h"

#include "common/status_macros.h"

namespace berth {
namespace {

constexpr int kDeciwattsPerWatt = 10;

v1::DeviceSample ReadWholeChip(const DcmiLibrary& dcmi, const AscendChip& chip) {
  v1::DeviceSample sample;
  unsigned int percent = 0;
  if (dcmi.get_utilization_rate != nullptr &&
      dcmi.get_utilization_rate(chip.card, chip.device, kDcmiAiCore, &percent) == kDcmiOk &&
      percent <= DeviceMeter::kPercentMax) {
    sample.set_utilization_percent(static_cast<int32_t>(percent));
  }
  DcmiHbm hbm;
  if (dcmi.get_hbm_info != nullptr && dcmi.get_hbm_info(chip.card, chip.device, &hbm) == kDcmiOk) {
    sample.set_memory_used_mib(static_cast<int64_t>(hbm.usage_mb));
  }
  int deciwatts = 0;
  if (dcmi.get_power_info != nullptr &&
      dcmi.get_power_info(chip.card, chip.device, &deciwatts) == kDcmiOk && deciwatts >= 0) {
    sample.set_power_watts(deciwatts / kDeciwattsPerWatt);
  }
  return sample;
}

}  // namespace

absl::StatusOr<std::unique_ptr<AscendMeter>> AscendMeter::Open(const std::string& library) {
  ASSIGN_OR_RETURN(std::unique_ptr<DcmiLibrary> dcmi, DcmiLibrary::Load(library));
  ASSIGN_OR_RETURN(AscendChips chips, ListAscendChips(*dcmi));
  std::erase_if(chips.found, [](const AscendChip& chip) { return !chip.vnpus.empty(); });
  return std::unique_ptr<AscendMeter>(new AscendMeter(std::move(dcmi), std::move(chips.found)));
}

std::vector<v1::DeviceSample> AscendMeter::Read() {
  std::vector<v1::DeviceSample> samples;
  for (const AscendChip& chip : chips_) {
    v1::DeviceSample sample = ReadWholeChip(*dcmi_, chip);
    if (sample.ByteSizeLong() > 0) {
      sample.set_index(chip.physical_id);
      samples.push_back(std::move(sample));
    }
  }
  return samples;
}

}  // namespace berth
