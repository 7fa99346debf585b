#include "agent/devices/devices.h"

#include <fstream>
#include <set>

#include <gtest/gtest.h>

#include "common/error_detail.h"
#include "tests/testing/temp_dir.h"

namespace berth {
namespace {

// No library is loaded unless a test means it.
DeviceOptions Options(DeviceSource source) {
  return {.source = source, .node = "n1", .nvml_library = "/nonexistent/libnvidia-ml.so.1"};
}

TEST(FindDevices, SimulatedDevicesAreNumberedThroughTheirTables) {
  DeviceOptions options = Options(DeviceSource::kSimulated);
  options.simulated = {
      {"sim-a100-80g", 2, 81920},
      {"sim-h200",     1, 0    }
  };
  const auto found = FindDevices(options);
  ASSERT_TRUE(found.ok()) << found.status();
  ASSERT_EQ(found->devices.size(), 3u);
  const v1::Device& first = found->devices[0];
  EXPECT_EQ(first.index(), 0);
  EXPECT_EQ(first.device_class(), "sim-a100-80g");
  EXPECT_EQ(first.uuid(), "SIM-n1-0");
  EXPECT_EQ(first.kind(), v1::DEVICE_KIND_SIMULATED);
  EXPECT_EQ(first.memory_mib(), 81920);
  EXPECT_EQ(first.minor_number(), -1);
  EXPECT_EQ(first.ring(), "");
  EXPECT_EQ(first.health(), v1::DEVICE_HEALTH_OK);
  EXPECT_EQ(found->devices[2].index(), 2);
  EXPECT_EQ(found->devices[2].device_class(), "sim-h200");
  EXPECT_EQ(found->devices[2].uuid(), "SIM-n1-2");
}

// Agents on one machine hold locks named after uuids.
TEST(FindDevices, SimulatedDevicesOfTwoNodesShareNoUuid) {
  std::set<std::string> uuids;
  for (const char* node : {"n1", "n2", "n1-2"}) {
    DeviceOptions options = Options(DeviceSource::kSimulated);
    options.node = node;
    options.simulated = {
        {"sim", 8, 1024}
    };
    const auto found = FindDevices(options);
    ASSERT_TRUE(found.ok()) << found.status();
    for (const v1::Device& device : found->devices) {
      uuids.insert(device.uuid());
    }
  }
  EXPECT_EQ(uuids.size(), 24u);
}

TEST(FindDevices, AScriptDividesAndRemovesSimulatedDevices) {
  const TempDir dir;
  DeviceOptions options = Options(DeviceSource::kSimulated);
  options.inventory_script = dir.File("script");
  options.simulated = {
      {"sim", 3, 8192}
  };
  EXPECT_EQ(FindDevices(options)->devices.size(), 3u) << "there is no file yet";
  std::ofstream(options.inventory_script) << "divide device 0 into 2 sim-half\nremove device 2\n"
                                          << "remove device 7\ndivide device 1 in 2 sim-half\n";
  const auto found = FindDevices(options);
  ASSERT_TRUE(found.ok()) << found.status();
  ASSERT_EQ(found->devices.size(), 3u);
  EXPECT_EQ(found->devices[0].uuid(), "SIM-n1-1");
  const v1::Device& part = found->devices[2];
  EXPECT_EQ(part.index(), 101);
  EXPECT_EQ(part.device_class(), "sim-half");
  EXPECT_EQ(part.uuid(), "SIM-n1-0-sim-half-1");
  EXPECT_EQ(part.part_of(), "SIM-n1-0");
  EXPECT_EQ(part.memory_mib(), 4096);
  EXPECT_EQ(found->complaints.size(), 2u);
}

TEST(FindDevices, AutoTakesDeclaredDevicesWhereNoneAreReal) {
  DeviceOptions options = Options(DeviceSource::kAuto);
  options.simulated = {
      {"sim", 4, 1024}
  };
  const auto found = FindDevices(options);
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ(found->devices.size(), 4u);
}

TEST(FindDevices, AutoWithoutAnythingFindsNothing) {
  const auto found = FindDevices(Options(DeviceSource::kAuto));
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_TRUE(found->devices.empty());
}

TEST(FindDevices, SimulatedWithoutATableAndNoneFindNothing) {
  for (const DeviceSource source : {DeviceSource::kSimulated, DeviceSource::kNone}) {
    const auto found = FindDevices(Options(source));
    ASSERT_TRUE(found.ok()) << found.status();
    EXPECT_TRUE(found->devices.empty());
  }
}

TEST(FindDevices, NvidiaWithoutADriverIsAnErrorWithAFix) {
  const absl::Status status = FindDevices(Options(DeviceSource::kNvidia)).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  const auto detail = FindDetail(status);
  ASSERT_TRUE(detail.has_value());
  EXPECT_FALSE(detail->fix.empty());
}

TEST(FindDevices, IndexesChooseAmongThoseThereAre) {
  DeviceOptions options = Options(DeviceSource::kSimulated);
  options.simulated = {
      {"sim", 4, 1024}
  };
  options.indexes = {1, 3};
  const auto found = FindDevices(options);
  ASSERT_TRUE(found.ok()) << found.status();
  ASSERT_EQ(found->devices.size(), 2u);
  EXPECT_EQ(found->devices[0].uuid(), "SIM-n1-1");
  EXPECT_EQ(found->devices[1].index(), 3);
}

TEST(FindDevices, WrongIndexesAreRefused) {
  const std::vector<std::vector<int>> wrong = {
      {4 },
      { 0, 4},
      { -1 },
      { 1,  1}
  };
  for (const std::vector<int>& indexes : wrong) {
    DeviceOptions options = Options(DeviceSource::kSimulated);
    options.simulated = {
        {"sim", 4, 1024}
    };
    options.indexes = indexes;
    EXPECT_EQ(FindDevices(options).status().code(), absl::StatusCode::kInvalidArgument)
        << indexes.front();
  }
}

TEST(FindDevices, TablesThatTheKindLeavesOutAreRefused) {
  for (const DeviceSource source : {DeviceSource::kNvidia, DeviceSource::kNone}) {
    DeviceOptions options = Options(source);
    options.simulated = {
        {"sim", 4, 1024}
    };
    EXPECT_EQ(FindDevices(options).status().code(), absl::StatusCode::kInvalidArgument);
  }
}

TEST(FindDevices, WrongTablesAreRefused) {
  const std::vector<SimulatedDevices> wrong = {
      {"",             1,    1 },
      {"Sim",          1,    1 },
      {"-sim",         1,    1 },
      {"a/b",          1,    1 },
      {std::string(64, 'a'), 1,  1},
      {"sim",              0,              1 },
      {"sim",              -1,              1},
      {"sim",              65,              1 },
      {"sim",              1,              -1},
  };
  for (const SimulatedDevices& group : wrong) {
    DeviceOptions options = Options(DeviceSource::kSimulated);
    options.simulated = {group};
    EXPECT_EQ(FindDevices(options).status().code(), absl::StatusCode::kInvalidArgument)
        << group.device_class << " " << group.count;
  }
}

TEST(FindDevices, TablesTogetherAreBoundedToo) {
  DeviceOptions options = Options(DeviceSource::kSimulated);
  options.simulated = {
      {"sim",   40, 1},
      {"sim-2", 40, 1}
  };
  EXPECT_EQ(FindDevices(options).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(ParseDeviceSource, KnowsItsFourWords) {
  EXPECT_EQ(*ParseDeviceSource("auto"), DeviceSource::kAuto);
  EXPECT_EQ(*ParseDeviceSource("nvidia"), DeviceSource::kNvidia);
  EXPECT_EQ(*ParseDeviceSource("simulated"), DeviceSource::kSimulated);
  EXPECT_EQ(*ParseDeviceSource("none"), DeviceSource::kNone);
  const absl::Status status = ParseDeviceSource("nvida").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(FindDetail(status)->fix.at(0), "did you mean \"nvidia\"?");
}

}  // namespace
}  // namespace berth
