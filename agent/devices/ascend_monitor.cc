#include "agent/devices/ascend_monitor.h"

#include "common/status_macros.h"

namespace berth {

absl::StatusOr<std::unique_ptr<AscendMonitor>> AscendMonitor::Open(const std::string& library) {
  ASSIGN_OR_RETURN(std::unique_ptr<DcmiLibrary> dcmi, DcmiLibrary::Load(library));
  ASSIGN_OR_RETURN(const AscendChips chips, ListAscendChips(*dcmi));
  return std::unique_ptr<AscendMonitor>(new AscendMonitor(std::move(dcmi), chips.found));
}

AscendMonitor::AscendMonitor(std::unique_ptr<DcmiLibrary> dcmi,
                             const std::vector<AscendChip>& chips)
    : dcmi_(std::move(dcmi)) {
  for (const AscendChip& chip : chips) {
    Watched& watched = chips_.emplace_back(Watched{.chip = chip});
    watched.health = HealthOf(watched);
  }
}

unsigned int AscendMonitor::HealthOf(const Watched& watched) const {
  unsigned int health = 0;
  const int result = dcmi_->get_health(watched.chip.card, watched.chip.device, &health);
  if (result == kDcmiDeviceNotExist) {
    return kDcmiHealthGone;
  }
  return result == kDcmiOk ? health : watched.health;
}

std::vector<DeviceEvent> AscendMonitor::TakeEvents() {
  std::vector<DeviceEvent> events;
  for (Watched& watched : chips_) {
    const unsigned int health = HealthOf(watched);
    if (health > watched.health) {
      DeviceEvent event{.kind = health == kDcmiHealthGone ? DeviceEventKind::kLostDevice
                                                          : DeviceEventKind::kAlarm,
                        .index = watched.chip.physical_id,
                        .code = health == kDcmiHealthGone ? 0 : static_cast<int64_t>(health)};
      if (watched.chip.vnpus.empty()) {
        events.push_back(event);
      }
      for (const unsigned int id : watched.chip.vnpus) {
        event.index = static_cast<int>(id);
        events.push_back(event);
      }
    }
    watched.health = health;
  }
  return events;
}

std::vector<DeviceProcess> AscendMonitor::ProcessesOn(int /*index*/) {
  return {};
}

}  // namespace berth
