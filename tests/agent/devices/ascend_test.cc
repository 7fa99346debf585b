// The tables are what real machines have written, shortened to a few cards: a 910B2C as the tests
// of gpustat show it, an Atlas A3 from issues 2534 and 12980 of vllm-project/vllm-ascend, a 910B4
// from the NPU guide of modelscope/ms-swift.

#include "agent/devices/ascend.h"

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "agent/devices/devices.h"
#include "agent/devices/npu_smi.h"
#include "tests/testing/temp_dir.h"

namespace berth {
namespace {

constexpr char kWithProcesses[] = R"(
+------------------------------------------------------------------------------------------------+
| npu-smi 25.0.rc1.2               Version: 25.0.rc1.2                                           |
+---------------------------+---------------+----------------------------------------------------+
| NPU   Name                | Health        | Power(W)    Temp(C)           Hugepages-Usage(page)|
| Chip                      | Bus-Id        | AICore(%)   Memory-Usage(MB)  HBM-Usage(MB)        |
+===========================+===============+====================================================+
| 0     910B2C              | OK            | 118.6       47                0    / 0             |
| 0                         | 0000:6B:02.0  | 6           0    / 0          35738/ 65536         |
+===========================+===============+====================================================+
| 1     910B2C              | OK            | 143.2       49                0    / 0             |
| 0                         | 0000:65:02.0  | 11          0    / 0          35761/ 65536         |
+===========================+===============+====================================================+
+---------------------------+---------------+----------------------------------------------------+
| NPU     Chip              | Process id    | Process name             | Process memory(MB)      |
+===========================+===============+====================================================+
| 0       0                 | 6513          | rayWorkerDict            | 617                     |
| 0       0                 | 33776         | VLLMWorker_TP            | 31747                   |
+===========================+===============+====================================================+
| 1       0                 | 33777         | VLLMWorker_TP            | 31747                   |
+===========================+===============+====================================================+
)";

constexpr char kTwoChipsPerCard[] = R"(
+------------------------------------------------------------------------------------------------------------------+
| npu-smi 26.0.rc2                            Version: 26.0.rc2                                                    |
+---------------------------+---------------+----------------------------------------------------------------------+
| NPU   Name                | Health        | Power(W)             Temp(C)                 Hugepages-Usage(page)   |
| Chip  Phy-ID              | Bus-Id        | AICore(%)            Memory-Usage(MB)        HBM-Usage(MB)           |
+===========================+===============+======================================================================+
| 0     Ascend910           | OK            | 162.6                34                      0    / 0                |
| 0     0                   | 0000:9D:00.0  | 0                    0    / 0                3419 / 65536            |
+------------------------------------------------------------------------------------------------------------------+
| 0     Ascend910           | OK            | -                    34                      0    / 0                |
| 1     1                   | 0000:9F:00.0  | 0                    0    / 0                2874 / 65536            |
+===========================+===============+======================================================================+
| 1     Ascend910           | OK            | 186.3                36                      0    / 0                |
| 0     2                   | 0000:99:00.0  | 0                    0    / 0                3415 / 65536            |
+------------------------------------------------------------------------------------------------------------------+
)";

constexpr char kIdle[] = R"(
| NPU   Name                | Health        | Power(W)    Temp(C)           Hugepages-Usage(page)|
| Chip                      | Bus-Id        | AICore(%)   Memory-Usage(MB)  HBM-Usage(MB)        |
+===========================+===============+====================================================+
| 5     910B4               | OK            | 89.9        39                0    / 0             |
| 0                         | 0000:41:00.0  | 0           0    / 0          2922 / 32768         |
+===========================+===============+====================================================+
+---------------------------+---------------+----------------------------------------------------+
| NPU     Chip              | Process id    | Process name             | Process memory(MB)      |
+===========================+===============+====================================================+
| No running processes found in NPU 5                                                            |
+===========================+===============+====================================================+
)";

TEST(NpuSmi, ChipsAndTheirProcessesAreRead) {
  const std::vector<NpuChip> chips = ParseNpuSmiInfo(kWithProcesses);
  ASSERT_EQ(chips.size(), 2u);
  EXPECT_EQ(chips[0].npu, 0);
  EXPECT_EQ(chips[0].name, "910B2C");
  EXPECT_EQ(chips[0].health, "OK");
  EXPECT_EQ(chips[0].bus_id, "0000:6B:02.0");
  EXPECT_EQ(chips[0].memory_mib, 65536);
  EXPECT_EQ(chips[0].memory_used_mib, 35738);
  EXPECT_EQ(chips[0].utilization_percent, 6);
  EXPECT_EQ(chips[0].power_watts, 118);
  EXPECT_EQ(chips[0].pids, (std::vector<int64_t>{6513, 33776}));
  EXPECT_EQ(chips[1].physical_id, 1);
  EXPECT_EQ(chips[1].pids, (std::vector<int64_t>{33777}));
}

TEST(NpuSmi, ACardMayHaveTwoChips) {
  const std::vector<NpuChip> chips = ParseNpuSmiInfo(kTwoChipsPerCard);
  ASSERT_EQ(chips.size(), 3u);
  EXPECT_EQ(chips[1].npu, 0);
  EXPECT_EQ(chips[1].chip, 1);
  EXPECT_EQ(chips[1].physical_id, 1);
  EXPECT_EQ(chips[2].npu, 1);
  EXPECT_EQ(chips[2].physical_id, 2);
  EXPECT_EQ(chips[2].memory_mib, 65536);
  EXPECT_EQ(chips[0].power_watts, 162);
  EXPECT_EQ(chips[1].power_watts, std::nullopt);
  EXPECT_EQ(chips[1].memory_used_mib, 2874);
}

TEST(NpuSmi, AnIdleCardHasNoProcess) {
  const std::vector<NpuChip> chips = ParseNpuSmiInfo(kIdle);
  ASSERT_EQ(chips.size(), 1u);
  EXPECT_EQ(chips[0].physical_id, 5);
  EXPECT_TRUE(chips[0].pids.empty());
}

TEST(NpuSmi, OtherTextHasNoChips) {
  EXPECT_TRUE(ParseNpuSmiInfo("").empty());
  EXPECT_TRUE(ParseNpuSmiInfo("DrvMngGetConsoleLogLevel failed. (g_conLogLevel=3)\n").empty());
  EXPECT_TRUE(ParseNpuSmiInfo("| 0 910B3 | OK |\n| 0 | x |\n||\n|\n| | | |\n").empty());
  // Cut anywhere, it is read as far as it goes.
  const std::string text = kWithProcesses;
  for (size_t size = 0; size < text.size(); size += 7) {
    EXPECT_LE(ParseNpuSmiInfo(text.substr(0, size)).size(), 2u);
  }
}

TEST(NpuSmi, ModelsHaveClasses) {
  EXPECT_EQ(AscendClass("910B3"), "ascend-910b3");
  EXPECT_EQ(AscendClass("Ascend910"), "ascend-910");
}

// A program in the tool's place.
class AscendProbeTest : public testing::Test {
 protected:
  void Install(const std::string& table, const std::string& end = "exit 0") {
    std::ofstream(dir.File("table")) << table;
    std::ofstream(tool) << "#!/bin/sh\n[ \"$1\" = info ] || exit 3\ncat " << dir.File("table")
                        << "\n"
                        << end << "\n";
    std::filesystem::permissions(tool, std::filesystem::perms::owner_all);
  }
  TempDir dir;
  const std::string tool = dir.File("npu-smi");
};

TEST_F(AscendProbeTest, TellsEveryDevice) {
  Install(kTwoChipsPerCard);
  const auto found = AscendProbe("n1", tool).Probe();
  ASSERT_TRUE(found.ok()) << found.status();
  ASSERT_EQ(found->devices.size(), 3u);
  const v1::Device& device = found->devices[1];
  EXPECT_EQ(device.index(), 1);
  EXPECT_EQ(device.device_class(), "ascend-910");
  EXPECT_EQ(device.uuid(), "NPU-n1-0000:9F:00.0");
  EXPECT_EQ(device.kind(), v1::DEVICE_KIND_ASCEND);
  EXPECT_EQ(device.minor_number(), 1);
  EXPECT_EQ(device.health(), v1::DEVICE_HEALTH_OK);
}

TEST_F(AscendProbeTest, ASickChipIsNotGivenOut) {
  std::string table = kWithProcesses;
  table.replace(table.find("OK   "), 5, "Alarm");
  Install(table);
  const auto found = AscendProbe("n1", tool).Probe();
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ(found->devices[0].health(), v1::DEVICE_HEALTH_QUARANTINED);
  EXPECT_EQ(found->devices[0].health_detail(), "npu-smi says Alarm");
  EXPECT_EQ(found->devices[1].health(), v1::DEVICE_HEALTH_OK);
}

TEST_F(AscendProbeTest, NoToolIsNoAscendAndABrokenOneIsAnError) {
  EXPECT_TRUE(absl::IsNotFound(AscendProbe("n1", dir.File("missing")).Probe().status()));
  Install(kWithProcesses, "exit 1");
  EXPECT_TRUE(absl::IsUnavailable(AscendProbe("n1", tool).Probe().status()));
  Install("no table\n");
  EXPECT_TRUE(absl::IsUnavailable(AscendProbe("n1", tool).Probe().status()));
}

TEST_F(AscendProbeTest, IsAMeterToo) {
  Install(kWithProcesses);
  const DeviceOptions options{
      .source = DeviceSource::kAscend, .npu_smi = tool, .dcmi_library = "no-such-library.so"};
  const auto meter = MakeDeviceMeter(options);
  ASSERT_NE(meter, nullptr);
  std::vector<v1::DeviceSample> samples = meter->Read();
  ASSERT_EQ(samples.size(), 2u);
  EXPECT_EQ(samples[1].index(), 1);
  EXPECT_EQ(samples[1].utilization_percent(), 11);
  EXPECT_EQ(samples[1].memory_used_mib(), 35761);
  EXPECT_EQ(samples[1].power_watts(), 143);
  Install(kTwoChipsPerCard);
  samples = meter->Read();
  ASSERT_EQ(samples.size(), 3u);
  EXPECT_FALSE(samples[1].has_power_watts());
  EXPECT_TRUE(samples[1].has_utilization_percent());
  Install(kWithProcesses, "exit 1");
  EXPECT_TRUE(meter->Read().empty());
}

TEST_F(AscendProbeTest, IsFoundByItself) {
  Install(kIdle);
  const auto devices = FindDevices({.source = DeviceSource::kAuto,
                                    .node = "n1",
                                    .nvml_library = "no-such-library.so",
                                    .npu_smi = tool});
  ASSERT_TRUE(devices.ok()) << devices.status();
  ASSERT_EQ(devices->devices.size(), 1u);
  EXPECT_EQ(devices->devices[0].index(), 5);
}

}  // namespace
}  // namespace berth
