// A library with the names and calling conventions of libdcmi.so and answers set by a test. The
// layouts are written down a second time, as plain bytes where nothing is in them that counts.

#include "tests/agent/devices/fake_dcmi/fake_dcmi.h"

#include <algorithm>
#include <cstdarg>
#include <cstddef>

namespace {

constexpr int kInvalidParameter = -8001;
constexpr int kNotExist = -8008;
constexpr int kAiCore = 2;
constexpr int kVirtualDevices = 52;

struct ChipInfo {
  char type[32];
  char name[32];
  char version[32];
  unsigned int cores;
};
struct HbmInfo {
  unsigned long long size;
  unsigned int frequency;
  unsigned long long usage;
  int temperature;
  unsigned int bandwidth;
};
struct PcieInfo {
  unsigned int ids[4];
  int domain;
  unsigned int bus;
  unsigned int device;
  unsigned int function;
  unsigned char reserved[32];
};
// base_resource has 64 bytes, computing_resource 96, media_resource 56.
struct Computing {
  float cores[2];
  unsigned short counts[8];
  unsigned long long memory_mb;
  unsigned char rest[64];
};
static_assert(sizeof(Computing) == 96);
struct Total {
  unsigned int count;
  unsigned int ids[32];
  unsigned int groups[2];
  unsigned char unused[4];
  unsigned char base[64];
  Computing computing;
  unsigned char media[56];
};
struct Query {
  unsigned int id;
  unsigned char unused[4];
  char name[16];
  unsigned int states[4];
  unsigned long long container;
  unsigned char base[64];
  Computing computing;
  unsigned char media[56];
};

berth::FakeDcmi& State() {
  static berth::FakeDcmi state;
  return state;
}

berth::FakeChip* Find(int card, int device) {
  for (berth::FakeChip& chip : State().chips) {
    if (chip.card == card && chip.device == device) {
      return &chip;
    }
  }
  return nullptr;
}

int Answer(const berth::FakeChip& chip, Total& total) {
  total.count = static_cast<unsigned int>(chip.vnpus.size());
  for (size_t i = 0; i < chip.vnpus.size(); ++i) {
    total.ids[i] = chip.vnpus[i].id;
  }
  return 0;
}

int Answer(const berth::FakeChip& chip, Query& query) {
  for (const berth::FakeVnpu& vnpu : chip.vnpus) {
    if (vnpu.id == query.id) {
      vnpu.name.copy(query.name, sizeof(query.name));
      query.computing.memory_mb = vnpu.memory_mb;
      return 0;
    }
  }
  return kInvalidParameter;
}

}  // namespace

// DCMI's own names. NOLINTBEGIN(readability-identifier-naming)
extern "C" {

berth::FakeDcmi* FakeDcmiState() {
  return &State();
}

int dcmi_init() {
  return State().init_result;
}

int dcmi_get_card_list(int* count, int* cards, int length) {
  *count = static_cast<int>(State().cards.size());
  std::copy_n(State().cards.begin(), std::min<size_t>(State().cards.size(), length), cards);
  return State().list_result;
}

int dcmi_get_device_num_in_card(int card, int* count) {
  const auto& chips = State().chips;
  *count = static_cast<int>(
      std::count_if(chips.begin(), chips.end(),
                    [card](const berth::FakeChip& chip) { return chip.card == card; }));
  const berth::FakeChip* chip = Find(card, 0);
  return chip == nullptr ? 0 : chip->count_result;
}

int dcmi_get_device_chip_info(int card, int device, ChipInfo* info) {
  const berth::FakeChip* chip = Find(card, device);
  if (chip == nullptr) {
    return kNotExist;
  }
  chip->name.copy(info->name, sizeof(info->name));
  info->cores = 24;
  return chip->chip_result;
}

int dcmi_get_device_health(int card, int device, unsigned int* health) {
  const berth::FakeChip* chip = Find(card, device);
  if (chip == nullptr) {
    return kNotExist;
  }
  *health = chip->health;
  return chip->health_result;
}

int dcmi_get_device_logic_id(int* logic_id, int card, int device) {
  const berth::FakeChip* chip = Find(card, device);
  *logic_id = chip == nullptr ? -1 : chip->logic_id;
  return chip == nullptr ? kNotExist : chip->logic_result;
}

int dcmi_get_device_phyid_from_logicid(unsigned int logic_id, unsigned int* physical_id) {
  for (const berth::FakeChip& chip : State().chips) {
    if (chip.logic_id == static_cast<int>(logic_id)) {
      *physical_id = chip.physical_id;
      return 0;
    }
  }
  return kNotExist;
}

int dcmi_get_device_hbm_info(int card, int device, HbmInfo* info) {
  const berth::FakeChip* chip = Find(card, device);
  if (chip == nullptr) {
    return kNotExist;
  }
  *info = {chip->memory_mb, 1600, chip->used_mb, 40, 0};
  return chip->hbm_result;
}

int dcmi_get_device_utilization_rate(int card, int device, int part, unsigned int* percent) {
  const berth::FakeChip* chip = Find(card, device);
  if (chip == nullptr || part != kAiCore) {
    return kInvalidParameter;
  }
  *percent = chip->ai_core_percent;
  return chip->utilization_result;
}

int dcmi_get_device_power_info(int card, int device, int* deciwatts) {
  const berth::FakeChip* chip = Find(card, device);
  if (chip == nullptr) {
    return kNotExist;
  }
  *deciwatts = chip->deciwatts;
  return chip->power_result;
}

int dcmi_get_device_pcie_info_v2(int card, int device, PcieInfo* info) {
  const berth::FakeChip* chip = Find(card, device);
  if (chip == nullptr) {
    return kNotExist;
  }
  info->bus = chip->bus;
  return 0;
}

// Then void* buffer, unsigned int* size: in the calling conventions of Linux the same as if named.
int dcmi_get_device_info(int card, int device, int command, unsigned int sub_command, ...) {
  va_list rest;
  va_start(rest, sub_command);
  void* buffer = va_arg(rest, void*);
  const unsigned int* size = va_arg(rest, unsigned int*);
  va_end(rest);
  const berth::FakeChip* chip = Find(card, device);
  if (chip == nullptr || command != kVirtualDevices) {
    return kInvalidParameter;
  }
  if (chip->parts_result != 0) {
    return chip->parts_result;
  }
  // As the driver does: a buffer of another size is another version's.
  if (sub_command == 1 && *size == sizeof(Total)) {
    return Answer(*chip, *static_cast<Total*>(buffer));
  }
  if (sub_command == 0 && *size == sizeof(Query)) {
    return Answer(*chip, *static_cast<Query*>(buffer));
  }
  return kInvalidParameter;
}

}  // extern "C"
// NOLINTEND(readability-identifier-naming)
