// Devices that are divided into MIG instances, told by the fake NVML.

#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"
#include <gtest/gtest.h>

#include "agent/devices/nvidia.h"
#include "agent/devices/nvidia_class.h"
#include "agent/devices/nvidia_instance.h"
#include "agent/devices/nvidia_monitor.h"
#include "tests/agent/devices/fake_nvml/fake_nvml.h"
#include "tests/testing/temp_dir.h"
#include <dlfcn.h>

namespace berth {
namespace {

constexpr unsigned long long kMib = 1024ULL * 1024;

class NvidiaMigTest : public testing::Test {
 protected:
  // Device 0 is whole; device 1, /dev/nvidia5, has a 1g in slot 0 and a 3g in slot 2.
  void SetUp() override {
    library_ = dlopen(BERTH_FAKE_NVML, RTLD_NOW | RTLD_LOCAL);
    ASSERT_NE(library_, nullptr);
    nvml_ = reinterpret_cast<FakeNvmlStateFunction*>(dlsym(library_, "FakeNvmlState"))();
    *nvml_ = FakeNvml();
    for (unsigned int i = 0; i < 2; ++i) {
      nvml_->devices.push_back({.name = "NVIDIA H100 80GB HBM3",
                                .uuid = absl::StrCat("GPU-", i),
                                .memory_bytes = 81559 * kMib,
                                .minor_number = i + 4});
    }
    nvml_->devices[1].is_mig = true;
    nvml_->devices[1].instances = {
        {.slot = 0,         .uuid = "MIG-a", .gpu_instance = 9, .compute_instance = 0, .memory_mb = 9984},
        { .slot = 2,
         .uuid = "MIG-b",
         .gpu_instance = 2,
         .compute_instance = 1,
         .gpu_slices = 3,
         .compute_slices = 3,
         .memory_mb = 40192}
    };
    Capability("gpu5/mig/gi9/access", 84);
    Capability("gpu5/mig/gi9/ci0/access", 85);
    Capability("gpu5/mig/gi2/access", 21);
    Capability("gpu5/mig/gi2/ci1/access", 23);
  }
  void TearDown() override {
    monitor_.reset();
    EXPECT_EQ(nvml_->open, 0) << "every init is undone";
    dlclose(library_);
  }

  void Capability(const std::string& name, int minor_number) {
    const std::filesystem::path path = dir_.File(name);
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path) << "DeviceFileMinor: " << minor_number
                        << "\nDeviceFileMode: 292\nDeviceFileModify: 1\n";
  }
  absl::StatusOr<ProbedDevices> Probe() {
    return NvidiaProbe(BERTH_FAKE_NVML, dir_.path()).Probe();
  }
  void Open() {
    auto monitor = NvidiaMonitor::Open(BERTH_FAKE_NVML);
    ASSERT_TRUE(monitor.ok()) << monitor.status();
    monitor_ = *std::move(monitor);
  }

  TempDir dir_;
  void* library_ = nullptr;
  FakeNvml* nvml_ = nullptr;
  std::unique_ptr<NvidiaMonitor> monitor_;
};

TEST_F(NvidiaMigTest, EveryInstanceIsADeviceOfAClassOfItsOwn) {
  const auto found = Probe();
  ASSERT_TRUE(found.ok()) << found.status();
  ASSERT_EQ(found->devices.size(), 3u);
  EXPECT_EQ(found->devices[0].device_class(), "nvidia-h100-80g");
  EXPECT_EQ(found->devices[0].files_size(), 0);
  EXPECT_EQ(found->devices[0].part_of(), "");
  const v1::Device& small = found->devices[1];
  EXPECT_EQ(small.index(), 110);
  EXPECT_EQ(small.device_class(), "nvidia-h100-80g-mig-1g.10gb");
  EXPECT_EQ(small.uuid(), "MIG-a");
  EXPECT_EQ(small.part_of(), "GPU-1");
  EXPECT_EQ(small.memory_mib(), 9984);
  EXPECT_EQ(small.minor_number(), 5);
  EXPECT_EQ(small.kind(), v1::DEVICE_KIND_NVIDIA);
  const v1::Device& large = found->devices[2];
  EXPECT_EQ(large.index(), 112);
  EXPECT_EQ(large.device_class(), "nvidia-h100-80g-mig-3g.40gb");
}

// Of the capabilities each instance has its own two and no other's.
TEST_F(NvidiaMigTest, AnInstanceComesWithItsCapabilitiesOnly) {
  const auto found = Probe();
  ASSERT_TRUE(found.ok()) << found.status();
  const auto files = [&](size_t at) {
    return std::vector<std::string>(found->devices[at].files().begin(),
                                    found->devices[at].files().end());
  };
  EXPECT_EQ(files(1), (std::vector<std::string>{"/dev/nvidia-caps/nvidia-cap84",
                                                "/dev/nvidia-caps/nvidia-cap85"}));
  EXPECT_EQ(files(2), (std::vector<std::string>{"/dev/nvidia-caps/nvidia-cap21",
                                                "/dev/nvidia-caps/nvidia-cap23"}));
}

TEST_F(NvidiaMigTest, AnInstanceWithoutCapabilitiesIsUnreadable) {
  std::filesystem::remove(dir_.File("gpu5/mig/gi9/ci0/access"));
  const auto found = Probe();
  ASSERT_TRUE(found.ok()) << found.status();
  ASSERT_EQ(found->devices.size(), 2u);
  EXPECT_EQ(found->devices[1].uuid(), "MIG-b");
  EXPECT_EQ(found->unreadable, std::vector<int>{110});
}

TEST_F(NvidiaMigTest, ADividedDeviceWithoutInstancesOffersNothing) {
  nvml_->devices[1].instances.clear();
  const auto found = Probe();
  ASSERT_TRUE(found.ok()) << found.status();
  ASSERT_EQ(found->devices.size(), 1u);
  EXPECT_EQ(found->devices[0].index(), 0);
}

TEST_F(NvidiaMigTest, AnErrorOfOneInstanceIsNoOther) {
  Open();
  nvml_->events = {
      {.index = 1, .type = 8, .data = 94, .gpu_instance = 2}
  };
  EXPECT_EQ(monitor_->TakeEvents(), (std::vector<DeviceEvent>{
                                        {DeviceEventKind::kXid, 112, 94}
  }));
}

TEST_F(NvidiaMigTest, AnErrorOfTheWholeDeviceIsOneOfAllItsInstances) {
  Open();
  nvml_->events = {
      {.index = 1, .type = 8, .data = 79}
  };
  EXPECT_EQ(monitor_->TakeEvents(),
            (std::vector<DeviceEvent>{
                {DeviceEventKind::kXid, 110, 79},
                {DeviceEventKind::kXid, 112, 79}
  }));
  nvml_->devices[1].uncorrected_ecc = 2;
  EXPECT_EQ(monitor_->TakeEvents(), (std::vector<DeviceEvent>{
                                        {DeviceEventKind::kUncorrectedEcc, 110, 2},
                                        {DeviceEventKind::kUncorrectedEcc, 112, 2}
  }));
}

TEST_F(NvidiaMigTest, ProcessesAreThoseOfTheInstance) {
  nvml_->devices[1].instances[1].processes = {77};
  Open();
  EXPECT_TRUE(monitor_->ProcessesOn(110).empty());
  EXPECT_EQ(monitor_->ProcessesOn(112), (std::vector<DeviceProcess>{
                                            {112, 77}
  }));
}

TEST(MigProfile, IsNamedAsItIsSold) {
  struct Case {
    unsigned int gpu_slices;
    unsigned int compute_slices;
    unsigned long long memory_mb;
    int64_t whole_mib;
    const char* profile;
  };
  // Memory as drivers tell it.
  const Case cases[] = {
      {1, 1, 4864,  40536,  "1g.5gb"    },
      {2, 2, 9856,  40536,  "2g.10gb"   },
      {3, 3, 19968, 40536,  "3g.20gb"   },
      {7, 7, 40192, 40536,  "7g.40gb"   },
      {1, 1, 9984,  81559,  "1g.10gb"   },
      {1, 1, 20096, 81559,  "1g.20gb"   },
      {3, 3, 40448, 81559,  "3g.40gb"   },
      {7, 7, 80896, 81559,  "7g.80gb"   },
      {3, 1, 40448, 81559,  "1c.3g.40gb"},
      {1, 1, 16384, 143771, "1g.18gb"   },
  };
  for (const Case& test : cases) {
    NvmlAttributes attributes;
    attributes.gpu_slices = test.gpu_slices;
    attributes.compute_slices = test.compute_slices;
    attributes.memory_mb = test.memory_mb;
    EXPECT_EQ(MigProfile(attributes, test.whole_mib), test.profile);
  }
}

TEST(MigClass, IsNeverLongerThanAName) {
  const std::string name = MigClass(std::string(63, 'q'), "1g.10gb");
  EXPECT_EQ(name.size(), 63u);
  EXPECT_EQ(name.substr(name.size() - 12), "-mig-1g.10gb");
}

}  // namespace
}  // namespace berth
