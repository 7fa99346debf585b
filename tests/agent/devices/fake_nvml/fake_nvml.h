#ifndef BERTH_TESTS_AGENT_DEVICES_FAKE_NVML_FAKE_NVML_H_
#define BERTH_TESTS_AGENT_DEVICES_FAKE_NVML_FAKE_NVML_H_

// What a loaded fake NVML answers. A test finds it with dlsym("FakeNvmlState") and keeps the
// library open as long as its answers must last.

#include <string>
#include <vector>

namespace berth {

struct FakeNvmlDevice {
  std::string name;
  std::string uuid;
  unsigned long long memory_bytes = 0;
  unsigned int minor_number = 0;
  int handle_result = 0;
  int memory_result = 0;
  int minor_result = 0;
};

struct FakeNvml {
  int init_result = 0;
  int count_result = 0;
  std::vector<FakeNvmlDevice> devices;
  int open = 0;  // successful inits not yet undone
};

using FakeNvmlStateFunction = FakeNvml*();

}  // namespace berth

#endif  // BERTH_TESTS_AGENT_DEVICES_FAKE_NVML_FAKE_NVML_H_
