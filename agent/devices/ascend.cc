#include "agent/devices/ascend.h"

#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

#include "agent/devices/ascend_chip.h"
#include "agent/devices/npu_smi_tool.h"
#include "common/status_macros.h"

namespace berth {
namespace {

v1::DeviceHealth HealthOf(const std::string& word) {
  if (word == "OK") {
    return v1::DEVICE_HEALTH_OK;
  }
  return word == "Warning" ? v1::DEVICE_HEALTH_SUSPECT : v1::DEVICE_HEALTH_QUARANTINED;
}

}  // namespace

absl::StatusOr<ProbedDevices> AscendProbe::Probe() {
  std::vector<std::string> complaints;
  const absl::StatusOr<std::unique_ptr<DcmiLibrary>> dcmi = DcmiLibrary::Load(library_);
  if (dcmi.ok()) {
    absl::StatusOr<ProbedDevices> found = ProbeAscendChips(**dcmi, node_);
    if (found.ok() && !(found->devices.empty() && found->unreadable.empty())) {
      return found;
    }
  } else if (!absl::IsNotFound(dcmi.status())) {
    complaints.push_back(
        absl::StrCat("npu-smi is asked instead of DCMI: ", dcmi.status().message()));
  }
  absl::StatusOr<ProbedDevices> found = ProbeByTool();
  if (found.ok()) {
    found->complaints = std::move(complaints);
  }
  return found;
}

absl::StatusOr<ProbedDevices> AscendProbe::ProbeByTool() const {
  ASSIGN_OR_RETURN(const std::vector<NpuChip> chips, AskNpuSmi(program_));
  ProbedDevices found;
  found.tells_parts = false;
  for (const NpuChip& chip : chips) {
    v1::Device& device = found.devices.emplace_back();
    device.set_index(chip.physical_id);
    device.set_device_class(AscendClass(chip.name));
    device.set_uuid(absl::StrCat("NPU-", node_, "-", chip.bus_id));
    device.set_kind(v1::DEVICE_KIND_ASCEND);
    device.set_memory_mib(chip.memory_mib);
    device.set_health(HealthOf(chip.health));
    if (device.health() != v1::DEVICE_HEALTH_OK) {
      device.set_health_detail(absl::StrCat("npu-smi says ", chip.health));
    }
    device.set_minor_number(chip.physical_id);
  }
  return found;
}

}  // namespace berth
