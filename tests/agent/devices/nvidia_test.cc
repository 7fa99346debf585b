#include "agent/devices/nvidia.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include <gtest/gtest.h>

#include "agent/devices/devices.h"
#include "agent/devices/nvidia_class.h"
#include "agent/devices/nvidia_monitor.h"
#include "common/error_detail.h"
#include "tests/agent/devices/fake_nvml/fake_nvml.h"
#include <dlfcn.h>

namespace berth {
namespace {

constexpr unsigned long long kBytesPerMib = 1024ULL * 1024;
constexpr int kDriverNotLoaded = 9;
constexpr int kGpuIsLost = 15;
constexpr int kVersionMismatch = 18;
constexpr int kNotSupported = 3;

FakeNvmlDevice H200(int number) {
  return {.name = "NVIDIA H200",
          .uuid = absl::StrCat("GPU-00000000-0000-0000-0000-00000000000", number),
          .memory_bytes = 143771 * kBytesPerMib,
          .minor_number = static_cast<unsigned int>(number + 4)};
}

std::string Why(const absl::Status& status) {
  const auto detail = FindDetail(status);
  return detail.has_value() && !detail->why.empty() ? detail->why.front() : "";
}

// Holds the fake open, so that the probe's own opening and closing keeps its answers.
class NvidiaProbeTest : public testing::Test {
 protected:
  void SetUp() override {
    library_ = dlopen(BERTH_FAKE_NVML, RTLD_NOW | RTLD_LOCAL);
    ASSERT_NE(library_, nullptr);
    auto* state = reinterpret_cast<FakeNvmlStateFunction*>(dlsym(library_, "FakeNvmlState"));
    ASSERT_NE(state, nullptr);
    nvml_ = state();
    *nvml_ = FakeNvml();
  }
  void TearDown() override {
    EXPECT_EQ(nvml_->open, 0) << "every init is undone";
    dlclose(library_);
  }

  static absl::StatusOr<ProbedDevices> Probe() { return NvidiaProbe(BERTH_FAKE_NVML).Probe(); }
  static DeviceOptions Options(DeviceSource source) {
    return {.source = source, .node = "n1", .nvml_library = BERTH_FAKE_NVML};
  }

  void* library_ = nullptr;
  FakeNvml* nvml_ = nullptr;
};

// The rings of all devices, in their order.
std::string Rings(const absl::StatusOr<ProbedDevices>& found) {
  std::string text;
  for (const v1::Device& device : found->devices) {
    absl::StrAppend(&text, "[", device.ring(), "]");
  }
  return text;
}

TEST_F(NvidiaProbeTest, DevicesThatAllReachEachOtherAreOneRingWithoutAName) {
  for (unsigned int i = 0; i < 4; ++i) {
    nvml_->devices.push_back(H200(static_cast<int>(i)));
    nvml_->devices.back().nvlinks = {0, 1, 2, 3};
  }
  EXPECT_EQ(Rings(Probe()), "[][][][]");
}

TEST_F(NvidiaProbeTest, NvlinkGroupsAreRings) {
  for (int i = 0; i < 6; ++i) {
    nvml_->devices.push_back(H200(i));
  }
  // 4 and 0 are joined through 2.
  nvml_->devices[2].nvlinks = {0};
  nvml_->devices[4].nvlinks = {2};
  nvml_->devices[3].nvlinks = {1};
  EXPECT_EQ(Rings(Probe()), "[0][1][0][1][0][2]");
}

TEST_F(NvidiaProbeTest, WithoutNvlinkAHostBridgeIsARing) {
  for (int i = 0; i < 4; ++i) {
    nvml_->devices.push_back(H200(i));
    nvml_->devices.back().socket = i / 2;
  }
  EXPECT_EQ(Rings(Probe()), "[0][0][1][1]");
}

class NvidiaMonitorTest : public NvidiaProbeTest {
 protected:
  void Open() {
    for (int i = 0; i < 3; ++i) {
      nvml_->devices.push_back(H200(i));
      nvml_->devices.back().uncorrected_ecc = 5;  // of earlier days
    }
    auto monitor = NvidiaMonitor::Open(BERTH_FAKE_NVML);
    ASSERT_TRUE(monitor.ok()) << monitor.status();
    monitor_ = *std::move(monitor);
  }
  void TearDown() override {
    monitor_.reset();
    NvidiaProbeTest::TearDown();
  }
  std::unique_ptr<NvidiaMonitor> monitor_;
};

TEST_F(NvidiaMonitorTest, NothingNewIsNoEvent) {
  Open();
  EXPECT_TRUE(monitor_->TakeEvents().empty());
  EXPECT_TRUE(monitor_->ProcessesOn(0).empty());
}

TEST_F(NvidiaMonitorTest, XidsAreTakenInOrderAndOnce) {
  Open();
  nvml_->events = {
      {1, 8, 79},
      {0, 8, 31},
      {2, 2, 1 }  // of a type that was not asked for
  };
  EXPECT_EQ(monitor_->TakeEvents(),
            (std::vector<DeviceEvent>{
                {DeviceEventKind::kXid, 1, 79},
                {DeviceEventKind::kXid, 0, 31}
  }));
  EXPECT_TRUE(monitor_->TakeEvents().empty());
}

TEST_F(NvidiaMonitorTest, NewMemoryErrorsAreCounted) {
  Open();
  nvml_->devices[1].uncorrected_ecc = 7;
  nvml_->devices[2].corrected_ecc = 300;
  EXPECT_EQ(monitor_->TakeEvents(), (std::vector<DeviceEvent>{
                                        {DeviceEventKind::kUncorrectedEcc, 1, 2  },
                                        {DeviceEventKind::kCorrectedEcc,   2, 300}
  }));
  EXPECT_TRUE(monitor_->TakeEvents().empty());
}

TEST_F(NvidiaMonitorTest, ALostDeviceIsToldOnce) {
  Open();
  nvml_->devices[1].ecc_result = kGpuIsLost;
  EXPECT_EQ(monitor_->TakeEvents(), (std::vector<DeviceEvent>{
                                        {DeviceEventKind::kLostDevice, 1, 0}
  }));
  EXPECT_TRUE(monitor_->TakeEvents().empty());
}

TEST_F(NvidiaMonitorTest, ADeviceWithoutEccIsWatchedAllTheSame) {
  Open();
  nvml_->devices[1].ecc_result = kNotSupported;
  nvml_->events = {
      {1, 8, 48}
  };
  EXPECT_EQ(monitor_->TakeEvents(), (std::vector<DeviceEvent>{
                                        {DeviceEventKind::kXid, 1, 48}
  }));
}

TEST_F(NvidiaMonitorTest, ProcessesOnADeviceAreTold) {
  Open();
  for (unsigned int pid = 200; pid > 100; --pid) {
    nvml_->devices[2].processes.push_back(pid);
  }
  const auto processes = monitor_->ProcessesOn(2);
  ASSERT_EQ(processes.size(), 100u);
  EXPECT_EQ(processes.front(), (DeviceProcess{2, 101}));
  EXPECT_TRUE(monitor_->ProcessesOn(0).empty());
  EXPECT_TRUE(monitor_->ProcessesOn(99).empty());
}

TEST_F(NvidiaProbeTest, TellsEveryDevice) {
  for (int i = 0; i < 8; ++i) {
    nvml_->devices.push_back(H200(i));
  }
  const auto found = Probe();
  ASSERT_TRUE(found.ok()) << found.status();
  ASSERT_EQ(found->devices.size(), 8u);
  EXPECT_TRUE(found->unreadable.empty());
  v1::Device expected;
  expected.set_index(5);
  expected.set_device_class("nvidia-h200-141g");
  expected.set_uuid("GPU-00000000-0000-0000-0000-000000000005");
  expected.set_kind(v1::DEVICE_KIND_NVIDIA);
  expected.set_memory_mib(143771);
  expected.set_minor_number(9);
  expected.set_health(v1::DEVICE_HEALTH_OK);
  EXPECT_EQ(found->devices[5].DebugString(), expected.DebugString());
}

TEST_F(NvidiaProbeTest, ADeadDeviceLeavesTheOthersTheirIndexes) {
  for (int i = 0; i < 3; ++i) {
    nvml_->devices.push_back(H200(i));
  }
  nvml_->devices[0].handle_result = kGpuIsLost;
  nvml_->devices[2].memory_result = kGpuIsLost;
  const auto found = Probe();
  ASSERT_TRUE(found.ok()) << found.status();
  ASSERT_EQ(found->devices.size(), 1u);
  EXPECT_EQ(found->devices[0].index(), 1);
  EXPECT_EQ(found->unreadable, (std::vector<int>{0, 2}));
}

TEST_F(NvidiaProbeTest, OnlyDeadDevicesAreAnError) {
  nvml_->devices.push_back(H200(0));
  nvml_->devices[0].handle_result = kGpuIsLost;
  const absl::Status status = Probe().status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_TRUE(absl::EndsWith(status.message(), ": nvmlDeviceGetHandleByIndex: GPU is lost"))
      << status;
  EXPECT_EQ(Why(status), "NVML result 15");
}

TEST_F(NvidiaProbeTest, ADeviceWithoutAFileHasNoMinorNumber) {
  nvml_->devices.push_back(H200(0));
  nvml_->devices[0].minor_result = kNotSupported;
  const auto found = Probe();
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ(found->devices.at(0).minor_number(), -1);
}

TEST_F(NvidiaProbeTest, InitThatFailsIsToldInNvmlsWords) {
  nvml_->init_result = kVersionMismatch;
  const absl::Status status = Probe().status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_TRUE(absl::EndsWith(status.message(), ": nvmlInit: Driver/library version mismatch"))
      << status;
}

TEST_F(NvidiaProbeTest, CountThatFailsIsAnError) {
  nvml_->count_result = kGpuIsLost;
  EXPECT_EQ(Probe().status().code(), absl::StatusCode::kUnavailable);
}

TEST_F(NvidiaProbeTest, ADriverNotLoadedIsNotFound) {
  nvml_->init_result = kDriverNotLoaded;
  EXPECT_EQ(Probe().status().code(), absl::StatusCode::kNotFound);
}

// A machine whose devices cannot be told must not join as one without devices.
TEST_F(NvidiaProbeTest, AutoTakesNoDriverAsNoDevicesAndNothingElse) {
  nvml_->init_result = kDriverNotLoaded;
  const auto none = FindDevices(Options(DeviceSource::kAuto));
  ASSERT_TRUE(none.ok()) << none.status();
  EXPECT_TRUE(none->devices.empty());
  nvml_->init_result = kVersionMismatch;
  EXPECT_FALSE(FindDevices(Options(DeviceSource::kAuto)).ok());
}

TEST_F(NvidiaProbeTest, AutoPrefersRealDevices) {
  DeviceOptions options = Options(DeviceSource::kAuto);
  options.simulated = {
      {"sim", 4, 1024}
  };
  const auto declared = FindDevices(options);
  ASSERT_TRUE(declared.ok()) << declared.status();
  EXPECT_EQ(declared->devices.size(), 4u);
  nvml_->devices.push_back(H200(0));
  const auto real = FindDevices(options);
  ASSERT_TRUE(real.ok()) << real.status();
  ASSERT_EQ(real->devices.size(), 1u);
  EXPECT_EQ(real->devices[0].kind(), v1::DEVICE_KIND_NVIDIA);
}

TEST_F(NvidiaProbeTest, NvidiaWithoutADeviceIsAnError) {
  EXPECT_EQ(FindDevices(Options(DeviceSource::kNvidia)).status().code(),
            absl::StatusCode::kFailedPrecondition);
}

TEST_F(NvidiaProbeTest, IndexesKeepThoseOfTheMachine) {
  for (int i = 0; i < 4; ++i) {
    nvml_->devices.push_back(H200(i));
  }
  DeviceOptions options = Options(DeviceSource::kNvidia);
  options.indexes = {3, 2};
  const auto found = FindDevices(options);
  ASSERT_TRUE(found.ok()) << found.status();
  ASSERT_EQ(found->devices.size(), 2u);
  EXPECT_EQ(found->devices[0].index(), 2);
  EXPECT_EQ(found->devices[1].index(), 3);
}

TEST_F(NvidiaProbeTest, AnIndexOfADeadDeviceIsNoMistakeOfTheOperator) {
  for (int i = 0; i < 2; ++i) {
    nvml_->devices.push_back(H200(i));
  }
  nvml_->devices[0].handle_result = kGpuIsLost;
  DeviceOptions options = Options(DeviceSource::kNvidia);
  options.indexes = {0, 1};
  const auto found = FindDevices(options);
  ASSERT_TRUE(found.ok()) << found.status();
  ASSERT_EQ(found->devices.size(), 1u);
  EXPECT_EQ(found->devices[0].index(), 1);
}

TEST(NvidiaProbe, AMissingLibraryIsNotFoundAndNamed) {
  const absl::Status status = NvidiaProbe("/nonexistent/libnvidia-ml.so.1").Probe().status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_TRUE(absl::StrContains(status.message(), "/nonexistent/libnvidia-ml.so.1"));
  EXPECT_FALSE(Why(status).empty());
}

TEST(NvidiaProbe, ALibraryOfAnotherKindIsRefused) {
  const absl::Status status = NvidiaProbe("libm.so.6").Probe().status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(Why(status), "it has no function nvmlInit_v2");
}

struct ModelCase {
  const char* model;
  int64_t memory_mib;
  const char* device_class;
};

// Memory as the driver reports it on these boards.
TEST(NvidiaClass, NamesModelAndSoldMemory) {
  const ModelCase cases[] = {
      {"NVIDIA H200",                          143771, "nvidia-h200-141g"                  },
      {"NVIDIA A100-SXM4-80GB",                81251,  "nvidia-a100-80g"                   },
      {"NVIDIA A100-SXM4-40GB",                40536,  "nvidia-a100-40g"                   },
      {"NVIDIA A100 80GB PCIe",                81920,  "nvidia-a100-80g"                   },
      {"A100-PCIE-40GB",                       40536,  "nvidia-a100-40g"                   },
      {"NVIDIA A100-PCI-E-80GB",               81251,  "nvidia-a100-80g"                   },
      {"NVIDIA H100 80GB HBM3",                81559,  "nvidia-h100-80g"                   },
      {"NVIDIA H100 NVL",                      95830,  "nvidia-h100-nvl-94g"               },
      {"NVIDIA H800",                          81559,  "nvidia-h800-80g"                   },
      {"NVIDIA H20",                           97871,  "nvidia-h20-96g"                    },
      {"NVIDIA B200",                          183359, "nvidia-b200-180g"                  },
      {"Tesla V100-SXM2-32GB",                 32510,  "nvidia-v100-32g"                   },
      {"Tesla T4",                             15109,  "nvidia-t4-16g"                     },
      {"NVIDIA L4",                            23034,  "nvidia-l4-24g"                     },
      {"NVIDIA L40S",                          46068,  "nvidia-l40s-48g"                   },
      {"NVIDIA A10",                           23028,  "nvidia-a10-24g"                    },
      {"NVIDIA GeForce RTX 4090",              24564,  "nvidia-rtx-4090-24g"               },
      {"NVIDIA RTX 6000 Ada Generation",       49140,  "nvidia-rtx-6000-ada-generation-48g"},
      {"NVIDIA A100-SXM4-40GB MIG 1g.5gb x/y", 4864,   "nvidia-a100-mig-1g.5gb-x-y-40g"    },
  };
  for (const ModelCase& test : cases) {
    EXPECT_EQ(NvidiaClass(test.model, test.memory_mib), test.device_class) << test.model;
  }
}

TEST(NvidiaClass, AnUnknownAmountIsRoundedUp) {
  EXPECT_EQ(NvidiaClass("NVIDIA X1", 110L * 1024 - 5), "nvidia-x1-110g");
  EXPECT_EQ(NvidiaClass("NVIDIA X1", 500L * 1024), "nvidia-x1-500g");
  EXPECT_EQ(NvidiaClass("NVIDIA X1", 0), "nvidia-x1-0g");
}

TEST(NvidiaClass, IsNeverLongerThanAName) {
  const std::string name = NvidiaClass(std::string(90, 'Q'), 81920);
  EXPECT_EQ(name.size(), 63u);
  EXPECT_EQ(name.substr(59), "-80g");
}

}  // namespace
}  // namespace berth
