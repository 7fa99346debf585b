// Ascend devices as the fake DCMI tells them.

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "agent/devices/ascend.h"
#include "agent/devices/ascend_chip.h"
#include "agent/devices/ascend_monitor.h"
#include "agent/devices/devices.h"
#include "agent/devices/health_policy.h"
#include "tests/agent/devices/fake_dcmi/fake_dcmi.h"
#include <dlfcn.h>

namespace berth {
namespace {

constexpr char kNoTool[] = "/nonexistent/npu-smi";

class AscendDcmiTest : public testing::Test {
 protected:
  // Two cards with a chip each; the second card is listed first.
  void SetUp() override {
    library_ = dlopen(BERTH_FAKE_DCMI, RTLD_NOW | RTLD_LOCAL);
    ASSERT_NE(library_, nullptr);
    dcmi_ = reinterpret_cast<FakeDcmiStateFunction*>(dlsym(library_, "FakeDcmiState"))();
    *dcmi_ = FakeDcmi();
    dcmi_->cards = {5, 2};
    dcmi_->chips = {
        {.card = 2,
         .logic_id = 0,
         .physical_id = 2,
         .name = "910B3",
         .memory_mb = 65536,
         .bus = 0x6b},
        {.card = 5,
         .logic_id = 1,
         .physical_id = 5,
         .name = "910B3",
         .memory_mb = 65536,
         .bus = 0xc1}
    };
  }
  void TearDown() override {
    monitor_.reset();
    dlclose(library_);
  }
  static absl::StatusOr<ProbedDevices> Probe() {
    return AscendProbe("n1", kNoTool, BERTH_FAKE_DCMI).Probe();
  }
  void Open() {
    auto monitor = AscendMonitor::Open(BERTH_FAKE_DCMI);
    ASSERT_TRUE(monitor.ok()) << monitor.status();
    monitor_ = *std::move(monitor);
  }
  // In the second chip.
  void Divide() {
    dcmi_->chips[1].vnpus = {
        {.id = 181, .name = "vir10_3c_32g", .memory_mb = 32768},
        {.id = 180, .name = "vir05_1c_16g", .memory_mb = 16384}
    };
  }

  void* library_ = nullptr;
  FakeDcmi* dcmi_ = nullptr;
  std::unique_ptr<AscendMonitor> monitor_;
};

TEST_F(AscendDcmiTest, ChipsAreToldInTheOrderOfTheirFiles) {
  const auto found = Probe();
  ASSERT_TRUE(found.ok()) << found.status();
  ASSERT_EQ(found->devices.size(), 2u);
  const v1::Device& device = found->devices[1];
  EXPECT_EQ(device.index(), 5);
  EXPECT_EQ(device.minor_number(), 5);
  EXPECT_EQ(device.device_class(), "ascend-910b3");
  // As npu-smi would make it.
  EXPECT_EQ(device.uuid(), "NPU-n1-0000:C1:00.0");
  EXPECT_EQ(device.kind(), v1::DEVICE_KIND_ASCEND);
  EXPECT_EQ(device.memory_mib(), 65536);
  EXPECT_EQ(device.health(), v1::DEVICE_HEALTH_OK);
  EXPECT_EQ(device.files_size(), 0);
}

TEST_F(AscendDcmiTest, AnAlarmIsSuspectOrWorse) {
  dcmi_->chips[0].health = 1;
  dcmi_->chips[1].health = 3;
  auto found = Probe();
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ(found->devices[0].health(), v1::DEVICE_HEALTH_SUSPECT);
  EXPECT_EQ(found->devices[1].health(), v1::DEVICE_HEALTH_QUARANTINED);
  EXPECT_EQ(found->devices[1].health_detail(), "DCMI tells health 3");
  dcmi_->chips[0].health_result = -8012;
  found = Probe();
  EXPECT_EQ(found->devices[0].health(), v1::DEVICE_HEALTH_QUARANTINED);
}

TEST_F(AscendDcmiTest, VnpusAreDevicesOfTheirOwnInThePlaceOfTheirChip) {
  Divide();
  const auto found = Probe();
  ASSERT_TRUE(found.ok()) << found.status();
  ASSERT_EQ(found->devices.size(), 3u);
  EXPECT_EQ(found->devices[0].index(), 2);
  const v1::Device& vnpu = found->devices[1];
  EXPECT_EQ(vnpu.index(), 180);
  EXPECT_EQ(vnpu.device_class(), "ascend-910b3-vnpu-vir05-1c-16g");
  EXPECT_EQ(vnpu.uuid(), "NPU-n1-0000:C1:00.0-v180");
  EXPECT_EQ(vnpu.part_of(), "NPU-n1-0000:C1:00.0");
  EXPECT_EQ(vnpu.memory_mib(), 16384);
  ASSERT_EQ(vnpu.files_size(), 1);
  EXPECT_EQ(vnpu.files(0), "/dev/vdavinci180:/dev/davinci180");
  EXPECT_EQ(found->devices[2].device_class(), "ascend-910b3-vnpu-vir10-3c-32g");
}

TEST_F(AscendDcmiTest, OneDeadChipTakesNoOther) {
  dcmi_->chips[0].chip_result = -8012;
  const auto found = Probe();
  ASSERT_TRUE(found.ok()) << found.status();
  ASSERT_EQ(found->devices.size(), 1u);
  EXPECT_EQ(found->devices[0].index(), 5);
  EXPECT_EQ(found->unreadable, std::vector<int>{2});
}

// Whatever is wrong with the library, the tool is asked: here there is none.
TEST_F(AscendDcmiTest, TheToolIsAskedWhereTheLibraryTellsNothing) {
  dcmi_->list_result = -8005;
  EXPECT_TRUE(absl::IsNotFound(Probe().status()));
  dcmi_->list_result = 0;
  dcmi_->init_result = -8005;
  EXPECT_TRUE(absl::IsNotFound(Probe().status()));
  EXPECT_TRUE(absl::IsNotFound(AscendProbe("n1", kNoTool, "/nonexistent.so").Probe().status()));
  EXPECT_TRUE(absl::IsNotFound(AscendProbe("n1", kNoTool, "libm.so.6").Probe().status()));
}

TEST_F(AscendDcmiTest, AGraverAlarmIsNewsOnce) {
  dcmi_->chips[0].health = 1;  // the probe has told it
  Open();
  EXPECT_TRUE(monitor_->TakeEvents().empty());
  dcmi_->chips[0].health = 2;
  const std::vector<DeviceEvent> alarm = {
      {DeviceEventKind::kAlarm, 2, 2}
  };
  EXPECT_EQ(monitor_->TakeEvents(), alarm);
  EXPECT_TRUE(monitor_->TakeEvents().empty());
  dcmi_->chips[0].health = 0;
  EXPECT_TRUE(monitor_->TakeEvents().empty());
  dcmi_->chips[0].health = 2;
  EXPECT_EQ(monitor_->TakeEvents(), alarm);
}

TEST_F(AscendDcmiTest, AChipThatIsGoneIsALostDeviceAndSoIsEachOfItsVnpus) {
  Divide();
  Open();
  dcmi_->chips[0].health = 0xffffffff;
  dcmi_->chips[1].health_result = -8008;
  EXPECT_EQ(monitor_->TakeEvents(), (std::vector<DeviceEvent>{
                                        {DeviceEventKind::kLostDevice, 2,   0},
                                        {DeviceEventKind::kLostDevice, 180, 0},
                                        {DeviceEventKind::kLostDevice, 181, 0}
  }));
  EXPECT_TRUE(monitor_->TakeEvents().empty());
}

TEST_F(AscendDcmiTest, IsFoundAndWatchedByItself) {
  const DeviceOptions options{.source = DeviceSource::kAuto,
                              .node = "n1",
                              .nvml_library = "no-such-library.so",
                              .npu_smi = kNoTool,
                              .dcmi_library = BERTH_FAKE_DCMI};
  const auto devices = FindDevices(options);
  ASSERT_TRUE(devices.ok()) << devices.status();
  EXPECT_EQ(devices->devices.size(), 2u);
  const auto monitor = MakeDeviceMonitor(options);
  ASSERT_NE(monitor, nullptr);
  dcmi_->chips[1].health = 3;
  EXPECT_EQ(monitor->TakeEvents(), (std::vector<DeviceEvent>{
                                       {DeviceEventKind::kAlarm, 5, 3}
  }));
}

TEST(HealthPolicy, ACriticalAlarmEndsWhatRunsAMinorOneIsAWarning) {
  EXPECT_EQ(JudgeEvent({DeviceEventKind::kAlarm, 0, 1}).health, v1::DEVICE_HEALTH_SUSPECT);
  EXPECT_EQ(JudgeEvent({DeviceEventKind::kAlarm, 0, 2}).health, v1::DEVICE_HEALTH_QUARANTINED);
  EXPECT_FALSE(JudgeEvent({DeviceEventKind::kAlarm, 0, 2}).ends_task);
  EXPECT_TRUE(JudgeEvent({DeviceEventKind::kAlarm, 0, 3}).ends_task);
}

TEST(VnpuClass, IsAName) {
  EXPECT_EQ(VnpuClass("ascend-910b3", "vir10_3c_32g"), "ascend-910b3-vnpu-vir10-3c-32g");
  EXPECT_EQ(VnpuClass(std::string(63, 'q'), "vir01").size(), 63u);
}

}  // namespace
}  // namespace berth
