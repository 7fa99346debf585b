#include "agent/devices/device_health.h"

#include <fstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "agent/devices/fault_script.h"
#include "agent/devices/health_policy.h"
#include "tests/testing/temp_dir.h"

namespace berth {
namespace {

// ---- The script ----

class FaultScriptTest : public testing::Test {
 protected:
  void Append(const std::string& text) { std::ofstream(path, std::ios::app) << text; }

  TempDir dir;
  const std::string path = dir.File("faults");
  FaultScript script{path};
};

TEST_F(FaultScriptTest, EveryPhraseIsAnEvent) {
  Append(
      "xid 79 on device 3\nuncorrected ecc on device 1\ncorrected ecc 500 on device 0\n"
      "lost link on device 2\nlost device 4\nclear device 3\n");
  EXPECT_EQ(script.TakeEvents(), (std::vector<DeviceEvent>{
                                     {DeviceEventKind::kXid,            3, 79 },
                                     {DeviceEventKind::kUncorrectedEcc, 1, 0  },
                                     {DeviceEventKind::kCorrectedEcc,   0, 500},
                                     {DeviceEventKind::kLostLink,       2, 0  },
                                     {DeviceEventKind::kLostDevice,     4, 0  },
                                     {DeviceEventKind::kCleared,        3, 0  }
  }));
}

TEST_F(FaultScriptTest, ALineHappensOnceAndWhenItIsWhole) {
  EXPECT_TRUE(script.TakeEvents().empty());  // no file yet
  Append("xid 79 on device 3\nxid 48 on dev");
  EXPECT_EQ(script.TakeEvents().size(), 1u);
  EXPECT_TRUE(script.TakeEvents().empty());
  Append("ice 1\n");
  EXPECT_EQ(script.TakeEvents(), (std::vector<DeviceEvent>{
                                     {DeviceEventKind::kXid, 1, 48}
  }));
}

TEST_F(FaultScriptTest, WhatIsNoFaultIsLeftOut) {
  Append(
      "\nxid on device 3\nxid 79 on device -1\nxid 79 on device three\nhello\n79\nlost device 1\n");
  EXPECT_EQ(script.TakeEvents(), (std::vector<DeviceEvent>{
                                     {DeviceEventKind::kLostDevice, 1, 0}
  }));
}

TEST_F(FaultScriptTest, ProcessesComeAndGo) {
  Append("process 4711 on device 2\nprocess 12 on device 2\nprocess 9 on device 0\n");
  EXPECT_EQ(script.ProcessesOn(2), (std::vector<DeviceProcess>{
                                       {2, 12  },
                                       {2, 4711}
  }));
  Append("no process on device 2\n");
  EXPECT_TRUE(script.ProcessesOn(2).empty());
  EXPECT_EQ(script.ProcessesOn(0).size(), 1u);
}

// ---- The policy ----

TEST(HealthPolicy, AProgramsErrorsLeaveTheDeviceGood) {
  for (const int64_t xid : {13, 31, 43, 45}) {
    const HealthVerdict verdict = JudgeEvent({DeviceEventKind::kXid, 0, xid});
    EXPECT_EQ(verdict.health, v1::DEVICE_HEALTH_OK) << xid;
    EXPECT_FALSE(verdict.ends_task) << xid;
  }
}

TEST(HealthPolicy, WhatTheHardwareHasNotMendedQuarantines) {
  for (const int64_t xid : {48, 64, 74, 79, 95, 119, 140}) {
    const HealthVerdict verdict = JudgeEvent({DeviceEventKind::kXid, 0, xid});
    EXPECT_EQ(verdict.health, v1::DEVICE_HEALTH_QUARANTINED) << xid;
    EXPECT_TRUE(verdict.ends_task) << xid;
  }
  for (const DeviceEventKind kind : {DeviceEventKind::kUncorrectedEcc, DeviceEventKind::kLostLink,
                                     DeviceEventKind::kLostDevice}) {
    EXPECT_TRUE(JudgeEvent({kind, 0, 1}).ends_task);
  }
  EXPECT_EQ(JudgeEvent({DeviceEventKind::kXid, 0, 79}).meaning,
            "Xid 79: the device has fallen off the bus");
}

TEST(HealthPolicy, WhatIsMendedOrUnknownIsWatched) {
  for (const int64_t xid : {63, 92, 94, 9999}) {
    EXPECT_EQ(JudgeEvent({DeviceEventKind::kXid, 0, xid}).health, v1::DEVICE_HEALTH_SUSPECT) << xid;
  }
  EXPECT_EQ(JudgeEvent({DeviceEventKind::kCorrectedEcc, 0, 3}).health, v1::DEVICE_HEALTH_OK);
  EXPECT_EQ(JudgeEvent({DeviceEventKind::kCorrectedEcc, 0, 3000}).health,
            v1::DEVICE_HEALTH_SUSPECT);
}

// ---- The verdicts ----

class DeviceHealthTest : public testing::Test {
 protected:
  DeviceHealthTest() {
    for (int index = 0; index < 3; ++index) {
      devices.emplace_back().set_index(index);
      devices.back().set_uuid("GPU-" + std::to_string(index));
      devices.back().set_health(v1::DEVICE_HEALTH_OK);
    }
  }
  static DeviceEvent Xid(int index, int64_t xid) { return {DeviceEventKind::kXid, index, xid}; }
  DeviceHealth::Outcome Apply(const std::vector<DeviceEvent>& events) {
    DeviceHealth::Outcome outcome;
    const absl::Status status = health.Apply(events, devices, outcome);
    EXPECT_TRUE(status.ok()) << status;
    health.Mark(devices);
    return outcome;
  }

  TempDir dir;
  std::vector<v1::Device> devices;
  DeviceHealth health{dir.File("device-health")};
};

TEST_F(DeviceHealthTest, AFaultQuarantinesItsDeviceAndNamesItsTasks) {
  const auto outcome = Apply({Xid(1, 79)});
  EXPECT_TRUE(outcome.changed);
  ASSERT_EQ(outcome.failed.size(), 1u);
  EXPECT_EQ(outcome.failed[0].first, 1);
  EXPECT_EQ(devices[0].health(), v1::DEVICE_HEALTH_OK);
  EXPECT_EQ(devices[1].health(), v1::DEVICE_HEALTH_QUARANTINED);
  EXPECT_EQ(devices[1].health_detail(), "Xid 79: the device has fallen off the bus");
}

TEST_F(DeviceHealthTest, OnlyGetsWorseAndKeepsTheFirstCause) {
  Apply({Xid(1, 79)});
  EXPECT_FALSE(Apply({Xid(1, 63), Xid(1, 31), Xid(1, 48)}).changed);
  EXPECT_EQ(devices[1].health_detail(), "Xid 79: the device has fallen off the bus");
  Apply({Xid(2, 63)});
  EXPECT_EQ(devices[2].health(), v1::DEVICE_HEALTH_SUSPECT);
  EXPECT_TRUE(Apply({Xid(2, 64)}).changed);
  EXPECT_EQ(devices[2].health(), v1::DEVICE_HEALTH_QUARANTINED);
}

TEST_F(DeviceHealthTest, AProgramsErrorOrAStrangerChangesNothing) {
  EXPECT_FALSE(Apply({Xid(1, 31), Xid(7, 79)}).changed);
  EXPECT_EQ(devices[1].health(), v1::DEVICE_HEALTH_OK);
}

TEST_F(DeviceHealthTest, OutlivesTheAgentUntilItIsCleared) {
  Apply({Xid(1, 79), Xid(2, 63)});
  DeviceHealth next(dir.File("device-health"));
  ASSERT_TRUE(next.Load().ok());
  std::vector<v1::Device> again = devices;
  for (v1::Device& device : again) {
    device.clear_health();
  }
  next.Mark(again);
  EXPECT_EQ(again[1].health(), v1::DEVICE_HEALTH_QUARANTINED);
  EXPECT_EQ(again[1].health_detail(), devices[1].health_detail());
  EXPECT_EQ(again[2].health(), v1::DEVICE_HEALTH_SUSPECT);
  EXPECT_TRUE(Apply({
                        {DeviceEventKind::kCleared, 1, 0}
  })
                  .changed);
  DeviceHealth last(dir.File("device-health"));
  ASSERT_TRUE(last.Load().ok());
  for (v1::Device& device : again) {
    device.set_health(v1::DEVICE_HEALTH_OK);
  }
  last.Mark(again);
  EXPECT_EQ(again[1].health(), v1::DEVICE_HEALTH_OK);
  EXPECT_EQ(again[2].health(), v1::DEVICE_HEALTH_SUSPECT);
}

TEST_F(DeviceHealthTest, NoFileIsNoVerdictAndABrokenOneIsTold) {
  EXPECT_TRUE(health.Load().ok());
  std::ofstream(dir.File("device-health")) << "GPU-1\tsplendid\twhy\n";
  EXPECT_FALSE(health.Load().ok());
}

}  // namespace
}  // namespace berth
