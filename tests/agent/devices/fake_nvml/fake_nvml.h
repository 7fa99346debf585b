#ifndef BERTH_TESTS_AGENT_DEVICES_FAKE_NVML_FAKE_NVML_H_
#define BERTH_TESTS_AGENT_DEVICES_FAKE_NVML_FAKE_NVML_H_

// What a loaded fake NVML answers. A test finds it with dlsym("FakeNvmlState") and keeps the
// library open as long as its answers must last.

#include <string>
#include <vector>

namespace berth {

// A MIG instance.
struct FakeNvmlInstance {
  unsigned int slot = 0;
  std::string uuid;
  unsigned int gpu_instance = 0;
  unsigned int compute_instance = 0;
  unsigned int gpu_slices = 1;
  unsigned int compute_slices = 1;
  unsigned long long memory_mb = 0;
  std::vector<unsigned int> processes = {};
  unsigned long long used_bytes = 0;
};

struct FakeNvmlDevice {
  std::string name;
  std::string uuid;
  unsigned long long memory_bytes = 0;
  unsigned int minor_number = 0;
  int handle_result = 0;
  int memory_result = 0;
  int minor_result = 0;
  unsigned long long corrected_ecc = 0;
  unsigned long long uncorrected_ecc = 0;
  int ecc_result = 0;
  std::vector<unsigned int> processes;
  std::vector<unsigned int> nvlinks;  // indexes of devices that it is joined with
  int socket = 0;                     // those of one socket share a host bridge
  bool is_mig = false;
  std::vector<FakeNvmlInstance> instances;
  unsigned long long used_bytes = 0;
  unsigned int utilization = 0;
  int utilization_result = 0;
  unsigned int milliwatts = 0;
  int power_result = 0;
};

struct FakeNvmlEvent {
  unsigned int index = 0;
  unsigned long long type = 0;
  unsigned long long data = 0;
  unsigned int gpu_instance = 0xffffffff;
};

struct FakeNvml {
  int init_result = 0;
  int count_result = 0;
  std::vector<FakeNvmlDevice> devices;
  std::vector<FakeNvmlEvent> events;  // that happen at the next look
  int open = 0;                       // successful inits not yet undone
};

using FakeNvmlStateFunction = FakeNvml*();

}  // namespace berth

#endif  // BERTH_TESTS_AGENT_DEVICES_FAKE_NVML_FAKE_NVML_H_
