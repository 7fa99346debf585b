#include "agent/devices/ascend_chip.h"

#include <algorithm>
#include <array>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

#include "agent/devices/device_probe.h"
#include "agent/devices/npu_smi.h"
#include "common/status_macros.h"

namespace berth {
namespace {

template <typename Char, size_t kSize>
std::string TextOf(const Char (&text)[kSize]) {
  const char* begin = reinterpret_cast<const char*>(text);
  return std::string(begin, std::find(begin, begin + kSize, '\0'));
}

// False: they cannot be told, as where the driver divides no chips.
bool ListVnpus(const DcmiLibrary& dcmi, AscendChip& chip) {
  DcmiVirtualDevices all;
  auto size = static_cast<unsigned int>(sizeof(all));
  if (dcmi.get_info == nullptr || dcmi.get_info(chip.card, chip.device, kDcmiVirtualDevices,
                                                kDcmiAllVirtualDevices, &all, &size) != kDcmiOk) {
    return false;
  }
  chip.vnpus.assign(all.ids, all.ids + std::min<size_t>(all.count, std::size(all.ids)));
  std::sort(chip.vnpus.begin(), chip.vnpus.end());
  return true;
}

bool FindPhysicalId(const DcmiLibrary& dcmi, AscendChip& chip) {
  int logic_id = 0;
  unsigned int physical_id = 0;
  if (dcmi.get_logic_id(&logic_id, chip.card, chip.device) != kDcmiOk || logic_id < 0 ||
      dcmi.get_physical_id(static_cast<unsigned int>(logic_id), &physical_id) != kDcmiOk) {
    return false;
  }
  chip.physical_id = static_cast<int>(physical_id);
  return true;
}

// As npu-smi writes it, so that a device is the same by whichever way it is found.
std::string BusId(const DcmiLibrary& dcmi, const AscendChip& chip) {
  DcmiPcie pcie;
  if (dcmi.get_pcie_info == nullptr ||
      dcmi.get_pcie_info(chip.card, chip.device, &pcie) != kDcmiOk) {
    return absl::StrCat("chip-", chip.physical_id);
  }
  return absl::StrFormat("%04X:%02X:%02X.%X", pcie.domain, pcie.bus, pcie.device, pcie.function);
}

void SetHealth(const DcmiLibrary& dcmi, const AscendChip& chip, v1::Device& device) {
  unsigned int health = 0;
  const int result = dcmi.get_health(chip.card, chip.device, &health);
  if (result == kDcmiOk && health == 0) {
    device.set_health(v1::DEVICE_HEALTH_OK);
    return;
  }
  const bool is_minor = result == kDcmiOk && health == kDcmiHealthMinor;
  device.set_health(is_minor ? v1::DEVICE_HEALTH_SUSPECT : v1::DEVICE_HEALTH_QUARANTINED);
  device.set_health_detail(result == kDcmiOk ? absl::StrCat("DCMI tells health ", health)
                                             : absl::StrCat("DCMI tells no health: ", result));
}

absl::StatusOr<v1::Device> ReadChip(const DcmiLibrary& dcmi, const AscendChip& chip,
                                    const std::string& node) {
  DcmiChip info;
  if (const int result = dcmi.get_chip_info(chip.card, chip.device, &info); result != kDcmiOk) {
    return dcmi.Error("dcmi_get_device_chip_info", result);
  }
  v1::Device device;
  device.set_index(chip.physical_id);
  device.set_device_class(AscendClass(TextOf(info.name)));
  device.set_uuid(absl::StrCat("NPU-", node, "-", BusId(dcmi, chip)));
  device.set_kind(v1::DEVICE_KIND_ASCEND);
  device.set_minor_number(chip.physical_id);
  DcmiHbm hbm;
  if (dcmi.get_hbm_info != nullptr && dcmi.get_hbm_info(chip.card, chip.device, &hbm) == kDcmiOk) {
    device.set_memory_mib(static_cast<int64_t>(hbm.size_mb));
  }
  SetHealth(dcmi, chip, device);
  return device;
}

// `whole` is the chip that it is a part of.
absl::StatusOr<v1::Device> ReadVnpu(const DcmiLibrary& dcmi, const AscendChip& chip,
                                    unsigned int id, const v1::Device& whole) {
  DcmiVirtualDevice found;
  found.id = id;
  auto size = static_cast<unsigned int>(sizeof(found));
  if (const int result = dcmi.get_info(chip.card, chip.device, kDcmiVirtualDevices,
                                       kDcmiOneVirtualDevice, &found, &size);
      result != kDcmiOk) {
    return dcmi.Error("dcmi_get_device_info", result);
  }
  v1::Device device = whole;
  device.set_index(static_cast<int>(id));
  device.set_device_class(VnpuClass(whole.device_class(), TextOf(found.info.name)));
  device.set_uuid(absl::StrCat(whole.uuid(), "-v", id));
  device.set_part_of(whole.uuid());
  device.set_memory_mib(static_cast<int64_t>(found.info.computing.memory_mb));
  // There is no /dev/davinciN of that number but the one that the task is shown.
  device.set_minor_number(static_cast<int>(id));
  device.add_files(absl::StrCat("/dev/vdavinci", id, ":/dev/davinci", id));
  return device;
}

}  // namespace

std::string VnpuClass(absl::string_view whole, absl::string_view name) {
  std::string part = absl::StrCat("-vnpu-", absl::AsciiStrToLower(name));
  // A class is a name: letters, digits, '-' and '.'.
  for (char& c : part) {
    c = absl::ascii_isalnum(c) || c == '.' ? c : '-';
  }
  return absl::StrCat(
      whole.substr(0, kClassNameBytesMax - std::min(part.size(), kClassNameBytesMax)), part);
}

absl::StatusOr<AscendChips> ListAscendChips(const DcmiLibrary& dcmi) {
  std::array<int, kDcmiCardsMax> cards = {};
  int count = 0;
  if (const int result = dcmi.get_card_list(&count, cards.data(), kDcmiCardsMax);
      result != kDcmiOk) {
    return dcmi.Error("dcmi_get_card_list", result);
  }
  AscendChips chips;
  for (int i = 0; i < std::min(count, kDcmiCardsMax); ++i) {
    const int card = cards[static_cast<size_t>(i)];
    int devices = 0;
    if (const int result = dcmi.get_num_in_card(card, &devices); result != kDcmiOk) {
      chips.complaints.push_back(
          absl::StrCat("card ", card, " is unreadable: DCMI result ", result));
      continue;
    }
    for (int device = 0; device < devices; ++device) {
      AscendChip chip{.card = card, .device = device};
      if (!FindPhysicalId(dcmi, chip)) {
        chips.complaints.push_back(
            absl::StrCat("chip ", device, " of card ", card, " has no number"));
        continue;
      }
      chips.tells_parts = ListVnpus(dcmi, chip) && chips.tells_parts;
      chips.found.push_back(std::move(chip));
    }
  }
  std::sort(chips.found.begin(), chips.found.end(),
            [](const AscendChip& a, const AscendChip& b) { return a.physical_id < b.physical_id; });
  return chips;
}

absl::StatusOr<ProbedDevices> ProbeAscendChips(const DcmiLibrary& dcmi, const std::string& node) {
  ASSIGN_OR_RETURN(AscendChips chips, ListAscendChips(dcmi));
  ProbedDevices found;
  found.nameless = static_cast<int>(chips.complaints.size());
  found.tells_parts = chips.tells_parts;
  found.complaints = std::move(chips.complaints);
  const auto keep = [&](int index, absl::StatusOr<v1::Device> device) {
    if (device.ok()) {
      found.devices.push_back(*std::move(device));
      return;
    }
    found.complaints.push_back(
        absl::StrCat("device ", index, " is unreadable: ", device.status().message()));
    found.unreadable.push_back(index);
  };
  for (const AscendChip& chip : chips.found) {
    absl::StatusOr<v1::Device> whole = ReadChip(dcmi, chip, node);
    if (!whole.ok() || chip.vnpus.empty()) {
      keep(chip.physical_id, std::move(whole));
      continue;
    }
    for (const unsigned int id : chip.vnpus) {
      keep(static_cast<int>(id), ReadVnpu(dcmi, chip, id, *whole));
    }
  }
  std::sort(found.devices.begin(), found.devices.end(),
            [](const v1::Device& a, const v1::Device& b) { return a.index() < b.index(); });
  std::sort(found.unreadable.begin(), found.unreadable.end());
  return found;
}

}  // namespace berth
