#ifndef BERTH_TESTS_AGENT_DEVICES_FAKE_DCMI_FAKE_DCMI_H_
#define BERTH_TESTS_AGENT_DEVICES_FAKE_DCMI_FAKE_DCMI_H_

// What a loaded fake DCMI answers. A test finds it with dlsym("FakeDcmiState") and keeps the
// library open as long as its answers must last.

#include <string>
#include <vector>

namespace berth {

struct FakeVnpu {
  unsigned int id = 0;
  std::string name;
  unsigned long long memory_mb = 0;
};

struct FakeChip {
  int card = 0;
  int device = 0;
  int logic_id = 0;
  unsigned int physical_id = 0;
  std::string name;
  unsigned long long memory_mb = 0;
  unsigned int bus = 0;
  unsigned int health = 0;
  int health_result = 0;
  int chip_result = 0;
  int count_result = 0;  // of its card's chips
  int logic_result = 0;
  int parts_result = 0;
  std::vector<FakeVnpu> vnpus;
  unsigned long long used_mb = 100;
  int hbm_result = 0;
  unsigned int ai_core_percent = 0;
  int utilization_result = 0;
  int deciwatts = 0;
  int power_result = 0;
};

struct FakeDcmi {
  int init_result = 0;
  int list_result = 0;
  std::vector<int> cards;
  std::vector<FakeChip> chips;
};

using FakeDcmiStateFunction = FakeDcmi*();

}  // namespace berth

#endif  // BERTH_TESTS_AGENT_DEVICES_FAKE_DCMI_FAKE_DCMI_H_
