// What devices are busy with: as the fake libraries tell it, and as a script does.

#include "agent/devices/device_meter.h"

#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include <gtest/gtest.h>

#include "agent/devices/ascend_meter.h"
#include "agent/devices/devices.h"
#include "agent/devices/nvidia_meter.h"
#include "agent/devices/sample_script.h"
#include "tests/agent/devices/fake_dcmi/fake_dcmi.h"
#include "tests/agent/devices/fake_nvml/fake_nvml.h"
#include "tests/testing/temp_dir.h"
#include <dlfcn.h>

namespace berth {
namespace {

constexpr int kNvmlLost = 15;
constexpr int kNvmlUnsupported = 3;
constexpr int kDcmiUnsupported = -8255;

// "3: 97 % 58000 MiB 410 W" of each, with "-" for what is not known.
std::string TextOf(const std::vector<v1::DeviceSample>& samples) {
  std::string text;
  for (const v1::DeviceSample& sample : samples) {
    const auto value = [](bool known, int64_t number) {
      return known ? absl::StrCat(number) : std::string("-");
    };
    absl::StrAppend(&text, sample.index(), ": ",
                    value(sample.has_utilization_percent(), sample.utilization_percent()), " % ",
                    value(sample.has_memory_used_mib(), sample.memory_used_mib()), " MiB ",
                    value(sample.has_power_watts(), sample.power_watts()), " W\n");
  }
  return text;
}

// The state of a fake library, as long as this lives.
template <typename State>
class HeldFake {
 public:
  HeldFake(const char* path, const char* name) : library_(dlopen(path, RTLD_NOW | RTLD_LOCAL)) {
    state_ = reinterpret_cast<State* (*)()>(dlsym(library_, name))();
    *state_ = State();
  }
  ~HeldFake() { dlclose(library_); }
  State* operator->() { return state_; }

 private:
  void* library_;
  State* state_;
};

FakeNvmlDevice BusyGpu(unsigned int utilization) {
  FakeNvmlDevice device{.name = "NVIDIA H200", .uuid = absl::StrCat("GPU-", utilization)};
  device.memory_bytes = 143771ULL << 20;
  device.used_bytes = 58000ULL << 20;
  device.utilization = utilization;
  device.milliwatts = 410'999;
  return device;
}

TEST(NvidiaMeter, TellsWhatEachDeviceIsBusyWith) {
  HeldFake<FakeNvml> nvml(BERTH_FAKE_NVML, "FakeNvmlState");
  nvml->devices = {BusyGpu(0), BusyGpu(97)};
  const auto meter = NvidiaMeter::Open(BERTH_FAKE_NVML);
  ASSERT_TRUE(meter.ok()) << meter.status();
  EXPECT_EQ(TextOf((*meter)->Read()), "0: 0 % 58000 MiB 410 W\n1: 97 % 58000 MiB 410 W\n");
  nvml->devices[1].utilization = 12;
  EXPECT_EQ(TextOf((*meter)->Read()), "0: 0 % 58000 MiB 410 W\n1: 12 % 58000 MiB 410 W\n");
}

TEST(NvidiaMeter, WhatTheDriverDoesNotTellIsNotKnown) {
  HeldFake<FakeNvml> nvml(BERTH_FAKE_NVML, "FakeNvmlState");
  nvml->devices = {BusyGpu(50), BusyGpu(50), BusyGpu(101)};
  nvml->devices[0].utilization_result = kNvmlUnsupported;
  nvml->devices[0].power_result = kNvmlUnsupported;
  nvml->devices[1].memory_result = kNvmlUnsupported;
  const auto meter = NvidiaMeter::Open(BERTH_FAKE_NVML);
  ASSERT_TRUE(meter.ok()) << meter.status();
  EXPECT_EQ(TextOf((*meter)->Read()),
            "0: - % 58000 MiB - W\n1: 50 % - MiB 410 W\n2: - % 58000 MiB 410 W\n");
  for (int* result : {&nvml->devices[1].utilization_result, &nvml->devices[1].power_result,
                      &nvml->devices[1].memory_result}) {
    *result = kNvmlLost;
  }
  EXPECT_EQ(TextOf((*meter)->Read()), "0: - % 58000 MiB - W\n2: - % 58000 MiB 410 W\n");
}

TEST(NvidiaMeter, OfAMigInstanceOnlyTheMemoryIsKnown) {
  HeldFake<FakeNvml> nvml(BERTH_FAKE_NVML, "FakeNvmlState");
  nvml->devices = {BusyGpu(80)};
  nvml->devices[0].is_mig = true;
  nvml->devices[0].instances = {
      {.slot = 2, .uuid = "MIG-1", .gpu_instance = 9, .memory_mb = 17000}
  };
  nvml->devices[0].instances[0].used_bytes = 1200ULL << 20;
  const auto meter = NvidiaMeter::Open(BERTH_FAKE_NVML);
  ASSERT_TRUE(meter.ok()) << meter.status();
  EXPECT_EQ(TextOf((*meter)->Read()), "102: - % 1200 MiB - W\n");
}

TEST(AscendMeter, TellsWholeChipsAndNoDividedOnes) {
  HeldFake<FakeDcmi> dcmi(BERTH_FAKE_DCMI, "FakeDcmiState");
  dcmi->cards = {1, 0};
  dcmi->chips.resize(3);
  dcmi->chips[0] = {.card = 0, .logic_id = 0, .physical_id = 0, .name = "910B3"};
  dcmi->chips[1] = {.card = 1, .logic_id = 1, .physical_id = 1, .name = "910B3"};
  dcmi->chips[2] = {.card = 1, .device = 1, .logic_id = 2, .physical_id = 2, .name = "910B3"};
  for (FakeChip& chip : dcmi->chips) {
    chip.used_mb = 35738;
    chip.ai_core_percent = 6;
    chip.deciwatts = 1186;
  }
  dcmi->chips[1].vnpus = {
      {.id = 180, .name = "vir05_1c_16g", .memory_mb = 16384}
  };
  // As the second die of a module.
  dcmi->chips[2].power_result = kDcmiUnsupported;
  const auto meter = AscendMeter::Open(BERTH_FAKE_DCMI);
  ASSERT_TRUE(meter.ok()) << meter.status();
  EXPECT_EQ(TextOf((*meter)->Read()), "0: 6 % 35738 MiB 118 W\n2: 6 % 35738 MiB - W\n");
  dcmi->chips[0].utilization_result = kDcmiUnsupported;
  dcmi->chips[2].hbm_result = kDcmiUnsupported;
  dcmi->chips[2].utilization_result = kDcmiUnsupported;
  EXPECT_EQ(TextOf((*meter)->Read()), "0: - % 35738 MiB 118 W\n");
}

TEST(SampleScript, IsReadAsItIsNow) {
  const TempDir folder;
  const std::string path = folder.path() + "/samples";
  SampleScript script(path);
  EXPECT_EQ(TextOf(script.Read()), "");
  std::ofstream(path) << "device 3 utilization 97 memory 58000 power 410\ndevice 0 power 0\n";
  EXPECT_EQ(TextOf(script.Read()), "0: - % - MiB 0 W\n3: 97 % 58000 MiB 410 W\n");
  std::ofstream(path) << "device 3 utilization 4\ndevice 3 utilization 5\n";
  EXPECT_EQ(TextOf(script.Read()), "3: 4 % - MiB - W\n");
}

TEST(SampleScript, WhatCannotBeTellsNothing) {
  const TempDir folder;
  const std::string path = folder.path() + "/samples";
  std::ofstream(path) << "device 1 utilization 101\ndevice 1\nutilization 4 device 1\n"
                         "device 1 utilization -4\ndevice 1 utilization many\ndevice 1 speed 4\n"
                         "device 1 utilization\n\nxid 79 on device 1\n";
  EXPECT_EQ(TextOf(SampleScript(path).Read()), "");
}

TEST(MakeDeviceMeter, TakesTheOneThatIsThere) {
  HeldFake<FakeNvml> nvml(BERTH_FAKE_NVML, "FakeNvmlState");
  HeldFake<FakeDcmi> dcmi(BERTH_FAKE_DCMI, "FakeDcmiState");
  nvml->devices = {BusyGpu(7)};
  DeviceOptions options{.source = DeviceSource::kAuto,
                        .nvml_library = BERTH_FAKE_NVML,
                        .npu_smi = "/nonexistent/npu-smi",
                        .dcmi_library = BERTH_FAKE_DCMI};
  EXPECT_EQ(TextOf(MakeDeviceMeter(options)->Read()), "0: 7 % 58000 MiB 410 W\n");
  options.nvml_library = "no-such-library.so";
  EXPECT_EQ(TextOf(MakeDeviceMeter(options)->Read()), "");
  options.dcmi_library = "no-such-library.so";
  EXPECT_EQ(MakeDeviceMeter(options), nullptr);
  options.source = DeviceSource::kNone;
  options.nvml_library = BERTH_FAKE_NVML;
  EXPECT_EQ(MakeDeviceMeter(options), nullptr);
}

}  // namespace
}  // namespace berth
