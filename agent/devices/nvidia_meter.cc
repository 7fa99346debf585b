#include "agent/devices/nvidia_meter.h"

#include "common/quantity.h"
#include "common/status_macros.h"

namespace berth {
namespace {

constexpr unsigned int kMilliwattsPerWatt = 1000;

}  // namespace

absl::StatusOr<std::unique_ptr<NvidiaMeter>> NvidiaMeter::Open(const std::string& library) {
  ASSIGN_OR_RETURN(std::unique_ptr<NvmlLibrary> nvml, NvmlLibrary::Load(library));
  unsigned int count = 0;
  if (const int result = nvml->get_count(&count); result != kNvmlSuccess) {
    return nvml->Error("nvmlDeviceGetCount", result);
  }
  std::vector<NvidiaInstance> instances = ListInstances(*nvml, count).found;
  return std::unique_ptr<NvidiaMeter>(new NvidiaMeter(std::move(nvml), std::move(instances)));
}

std::vector<v1::DeviceSample> NvidiaMeter::Read() {
  std::vector<v1::DeviceSample> samples;
  for (const NvidiaInstance& instance : instances_) {
    v1::DeviceSample sample;
    NvmlMemory memory;
    if (nvml_->get_memory_info(instance.handle, &memory) == kNvmlSuccess) {
      sample.set_memory_used_mib(static_cast<int64_t>(memory.used_bytes) / kBytesPerMib);
    }
    if (!instance.is_mig) {
      ReadWhole(instance.handle, sample);
    }
    if (sample.ByteSizeLong() > 0) {
      sample.set_index(instance.index);
      samples.push_back(std::move(sample));
    }
  }
  return samples;
}

void NvidiaMeter::ReadWhole(NvmlDevice handle, v1::DeviceSample& sample) const {
  NvmlUtilization utilization;
  if (nvml_->get_utilization != nullptr &&
      nvml_->get_utilization(handle, &utilization) == kNvmlSuccess &&
      utilization.gpu <= kPercentMax) {
    sample.set_utilization_percent(static_cast<int32_t>(utilization.gpu));
  }
  unsigned int milliwatts = 0;
  if (nvml_->get_power_usage != nullptr &&
      nvml_->get_power_usage(handle, &milliwatts) == kNvmlSuccess) {
    sample.set_power_watts(static_cast<int32_t>(milliwatts / kMilliwattsPerWatt));
  }
}

}  // namespace berth
