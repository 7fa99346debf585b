// What the finder makes of fake drivers whose devices change.

#include "agent/devices/device_finder.h"

#include <filesystem>
#include <fstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include <gtest/gtest.h>

#include "tests/agent/devices/fake_dcmi/fake_dcmi.h"
#include "tests/agent/devices/fake_nvml/fake_nvml.h"
#include "tests/testing/temp_dir.h"
#include <dlfcn.h>

namespace berth {
namespace {

constexpr unsigned long long kH100Bytes = 81559ULL << 20;
constexpr int kLost = 15;         // NVML_ERROR_GPU_IS_LOST
constexpr int kNotLoaded = 9;     // NVML_ERROR_DRIVER_NOT_LOADED
constexpr int kNotReady = -8012;  // DCMI_ERR_CODE_DEVICE_NOT_READY

std::string NewsOf(const std::optional<FoundDevices>& found) {
  if (!found.has_value()) {
    return "nothing new";
  }
  return absl::StrJoin(found->devices, " ", [](std::string* out, const v1::Device& device) {
    absl::StrAppend(out, device.index(), ":", device.device_class());
  });
}

class DeviceFinderTest : public testing::Test {
 protected:
  void TearDown() override {
    finder_.reset();
    dlclose(library_);
  }
  template <typename State>
  State* Open(const char* library, const char* function) {
    library_ = dlopen(library, RTLD_NOW | RTLD_LOCAL);
    State* const state = reinterpret_cast<State* (*)()>(dlsym(library_, function))();
    *state = State();
    return state;
  }
  void Begin(const DeviceOptions& options) {
    auto found = FindDevices(options);
    ASSERT_TRUE(found.ok()) << found.status();
    finder_ = std::make_unique<DeviceFinder>(options, *std::move(found));
  }
  // Of the look that confirms what one before it has seen.
  std::string LookTwice() {
    EXPECT_EQ(NewsOf(finder_->Look()), "nothing new");
    return NewsOf(finder_->Look());
  }

  void* library_ = nullptr;
  std::unique_ptr<DeviceFinder> finder_;
};

class NvidiaFinderTest : public DeviceFinderTest {
 protected:
  void SetUp() override {
    nvml_ = Open<FakeNvml>(BERTH_FAKE_NVML, "FakeNvmlState");
    for (unsigned int i = 0; i < 2; ++i) {
      nvml_->devices.push_back({.name = "NVIDIA H100 80GB HBM3",
                                .uuid = absl::StrCat("GPU-", i),
                                .memory_bytes = kH100Bytes,
                                .minor_number = i});
    }
    Begin({.source = DeviceSource::kNvidia,
           .node = "n1",
           .nvml_library = BERTH_FAKE_NVML,
           .nvidia_capabilities = dir_.path()});
  }
  // As `nvidia-smi mig -cgi` would; `has_files`: the driver tells of their device files.
  void DivideFirst(bool has_files) {
    nvml_->devices[0].is_mig = true;
    for (unsigned int slot = 0; slot < 2; ++slot) {
      nvml_->devices[0].instances.push_back({.slot = slot,
                                             .uuid = absl::StrCat("MIG-", slot),
                                             .gpu_instance = slot + 1,
                                             .gpu_slices = 3,
                                             .compute_slices = 3,
                                             .memory_mb = 40192});
      const std::string folder = absl::StrCat("gpu0/mig/gi", slot + 1);
      for (const std::string& name : {folder + "/access", folder + "/ci0/access"}) {
        const std::filesystem::path path = dir_.File(name);
        std::filesystem::create_directories(path.parent_path());
        if (has_files) {
          std::ofstream(path) << "DeviceFileMinor: " << slot << "\n";
        }
      }
    }
  }

  TempDir dir_;
  FakeNvml* nvml_ = nullptr;
};

TEST_F(NvidiaFinderTest, ADeviceIsDividedAndPutTogether) {
  DivideFirst(true);
  EXPECT_EQ(LookTwice(),
            "1:nvidia-h100-80g 100:nvidia-h100-80g-mig-3g.40gb 101:nvidia-h100-80g-mig-3g.40gb");
  nvml_->devices[0].instances.pop_back();
  EXPECT_EQ(LookTwice(), "1:nvidia-h100-80g 100:nvidia-h100-80g-mig-3g.40gb");
  nvml_->devices[0].is_mig = false;
  EXPECT_EQ(LookTwice(), "0:nvidia-h100-80g 1:nvidia-h100-80g");
}

TEST_F(NvidiaFinderTest, NothingNewIsNoNews) {
  EXPECT_EQ(LookTwice(), "nothing new");
}

TEST_F(NvidiaFinderTest, ADeviceThatVanishesAndComesBackIsToldTwice) {
  const FakeNvmlDevice second = nvml_->devices.back();
  nvml_->devices.pop_back();
  EXPECT_EQ(LookTwice(), "0:nvidia-h100-80g");
  EXPECT_EQ(LookTwice(), "nothing new");
  nvml_->devices.push_back(second);
  EXPECT_EQ(LookTwice(), "0:nvidia-h100-80g 1:nvidia-h100-80g");
}

TEST_F(NvidiaFinderTest, WhatOneLookSeesIsNotBelieved) {
  const FakeNvmlDevice second = nvml_->devices.back();
  nvml_->devices.pop_back();
  EXPECT_EQ(NewsOf(finder_->Look()), "nothing new");
  nvml_->devices.push_back(second);
  EXPECT_EQ(LookTwice(), "nothing new");
}

TEST_F(NvidiaFinderTest, ADriverThatFailsTakesNothingAway) {
  nvml_->count_result = kLost;
  EXPECT_EQ(LookTwice(), "nothing new");
  nvml_->count_result = 0;
  nvml_->devices[0].handle_result = kLost;
  EXPECT_EQ(LookTwice(), "nothing new") << "it is there, and the monitor tells what became of it";
}

// The driver numbers them as it finds them; a task is given the device file of that number.
TEST_F(NvidiaFinderTest, OtherDeviceFilesAreNews) {
  std::swap(nvml_->devices[0].minor_number, nvml_->devices[1].minor_number);
  EXPECT_EQ(LookTwice(), "0:nvidia-h100-80g 1:nvidia-h100-80g");
}

// As while it is upgraded.
TEST_F(NvidiaFinderTest, ADriverThatIsAwayMakesRoomForNoOther) {
  Begin({.source = DeviceSource::kAuto,
         .simulated = {{"sim", 1, 8192}},
         .node = "n1",
         .nvml_library = BERTH_FAKE_NVML,
         .nvidia_capabilities = dir_.path(),
         .npu_smi = "/nonexistent/npu-smi",
         .dcmi_library = "no-such-library.so"});
  nvml_->init_result = kNotLoaded;
  EXPECT_EQ(LookTwice(), "nothing new");
}

// The instances cannot be used, but the whole device is gone all the same.
TEST_F(NvidiaFinderTest, InstancesWithoutFilesAreNoReasonToKeepTheWholeDevice) {
  DivideFirst(false);
  EXPECT_EQ(LookTwice(), "1:nvidia-h100-80g");
}

// It has no instance yet.
TEST_F(NvidiaFinderTest, TheLastDeviceMayBeTakenForDivision) {
  nvml_->devices[0].is_mig = true;
  nvml_->devices[1].is_mig = true;
  EXPECT_EQ(LookTwice(), "");
}

TEST_F(NvidiaFinderTest, TheMonitorThatComesWithThemKnowsTheNewOnes) {
  nvml_->devices.push_back({.name = "NVIDIA H100 80GB HBM3",
                            .uuid = "GPU-2",
                            .memory_bytes = kH100Bytes,
                            .minor_number = 2});
  EXPECT_EQ(NewsOf(finder_->Look()), "nothing new");
  const std::optional<FoundDevices> found = finder_->Look();
  ASSERT_TRUE(found.has_value());
  ASSERT_NE(found->monitor, nullptr);
  nvml_->devices[2].ecc_result = kLost;
  EXPECT_EQ(found->monitor->TakeEvents(), (std::vector<DeviceEvent>{
                                              {DeviceEventKind::kLostDevice, 2, 0}
  }));
  EXPECT_NE(found->meter, nullptr);
}

class AscendFinderTest : public DeviceFinderTest {
 protected:
  void SetUp() override {
    dcmi_ = Open<FakeDcmi>(BERTH_FAKE_DCMI, "FakeDcmiState");
    dcmi_->cards = {2};
    dcmi_->chips = {
        {.card = 2, .logic_id = 0, .physical_id = 2, .name = "910B3", .memory_mb = 65536}
    };
    Begin({.source = DeviceSource::kAscend,
           .node = "n1",
           .nvml_library = "no-such-library.so",
           .npu_smi = "/nonexistent/npu-smi",
           .dcmi_library = BERTH_FAKE_DCMI});
  }

  FakeDcmi* dcmi_ = nullptr;
};

TEST_F(AscendFinderTest, AChipIsDividedAndPutTogether) {
  dcmi_->chips[0].vnpus = {
      {.id = 180, .name = "vir05_1c_16g", .memory_mb = 16384}
  };
  EXPECT_EQ(LookTwice(), "180:ascend-910b3-vnpu-vir05-1c-16g");
  dcmi_->chips[0].vnpus[0].name = "vir10_3c_32g";
  EXPECT_EQ(LookTwice(), "180:ascend-910b3-vnpu-vir10-3c-32g") << "the number again";
  dcmi_->list_result = -8005;
  EXPECT_EQ(LookTwice(), "nothing new");
  dcmi_->list_result = 0;
  dcmi_->chips[0].vnpus.clear();
  EXPECT_EQ(LookTwice(), "2:ascend-910b3");
}

TEST_F(AscendFinderTest, AChipThatDoesNotAnswerIsThereStill) {
  dcmi_->cards = {2, 3};
  dcmi_->chips.push_back(
      {.card = 3, .logic_id = 1, .physical_id = 3, .name = "910B3", .memory_mb = 65536, .bus = 3});
  EXPECT_EQ(LookTwice(), "2:ascend-910b3 3:ascend-910b3");
  dcmi_->chips[0].count_result = kNotReady;
  EXPECT_EQ(LookTwice(), "nothing new") << "of its card";
  dcmi_->chips[0].count_result = 0;
  dcmi_->chips[0].logic_result = kNotReady;
  EXPECT_EQ(LookTwice(), "nothing new") << "of its number";
  dcmi_->chips.erase(dcmi_->chips.begin());
  EXPECT_EQ(LookTwice(), "3:ascend-910b3") << "it is gone";
}

TEST_F(AscendFinderTest, AChipWhosePartsAreNotToldIsNotWhole) {
  dcmi_->chips[0].vnpus = {
      {.id = 180, .name = "vir05_1c_16g", .memory_mb = 16384}
  };
  EXPECT_EQ(LookTwice(), "180:ascend-910b3-vnpu-vir05-1c-16g");
  dcmi_->chips[0].parts_result = kNotReady;
  EXPECT_EQ(LookTwice(), "nothing new");
}

}  // namespace
}  // namespace berth
