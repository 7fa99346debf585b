#include "agent/device_watch.h"

#include <fstream>
#include <string>

#include "absl/strings/str_cat.h"
#include <gtest/gtest.h>

#include "tests/testing/temp_dir.h"

namespace berth {
namespace {

const DevicesInUse kBegun = {.all = {"SIM-n1-1"}, .begun = {"SIM-n1-1"}};

// Two simulated devices that a script changes.
class DeviceWatchTest : public testing::Test {
 protected:
  void SetUp() override {
    options_.source = DeviceSource::kSimulated;
    options_.node = "n1";
    options_.inventory_script = dir_.File("devices");
    options_.fault_script = dir_.File("faults");
    options_.simulated = {
        {"sim", 2, 8192}
    };
    auto watch = DeviceWatch::Start(options_, dir_.path());
    ASSERT_TRUE(watch.ok()) << watch.status();
    watch_.emplace(*std::move(watch));
    finder_ = watch_->TakeFinder();
    ASSERT_NE(finder_, nullptr);
  }
  // What the script says, seen by two looks.
  void Change(const std::string& script) {
    std::ofstream(options_.inventory_script) << script;
    ASSERT_FALSE(finder_->Look().has_value());
    auto found = finder_->Look();
    ASSERT_TRUE(found.has_value());
    watch_->Put(*std::move(found));
  }
  std::string Classes() const {
    std::string text;
    for (const v1::Device& device : watch_->devices()) {
      absl::StrAppend(&text, text.empty() ? "" : " ", device.index(), ":", device.device_class());
    }
    return text;
  }

  TempDir dir_;
  DeviceOptions options_;
  std::optional<DeviceWatch> watch_;
  std::unique_ptr<DeviceFinder> finder_;
};

TEST_F(DeviceWatchTest, TakesOverWhatNoTaskHas) {
  EXPECT_FALSE(watch_->Step({}).changed);
  Change("divide device 0 into 2 half\n");
  EXPECT_EQ(Classes(), "0:sim 1:sim") << "until it is asked to";
  const DeviceHealth::Outcome outcome = watch_->Step(kBegun);
  EXPECT_TRUE(outcome.changed);
  EXPECT_TRUE(outcome.failed.empty());
  EXPECT_EQ(Classes(), "1:sim 100:half 101:half");
  EXPECT_FALSE(watch_->Step({}).changed);
}

TEST_F(DeviceWatchTest, ADeviceThatVanishesFromUnderATaskIsAFaultOnce) {
  Change("remove device 1\n");
  const DeviceHealth::Outcome outcome = watch_->Step(kBegun);
  ASSERT_EQ(outcome.failed.size(), 1u);
  EXPECT_EQ(outcome.failed[0].first, 1);
  EXPECT_TRUE(outcome.changed);
  EXPECT_EQ(Classes(), "0:sim 1:sim") << "the task has it still";
  EXPECT_EQ(watch_->devices()[1].health(), v1::DEVICE_HEALTH_QUARANTINED);
  EXPECT_EQ(watch_->DevicesAtHand().size(), 1u);
  EXPECT_TRUE(watch_->Step(kBegun).failed.empty());
  EXPECT_TRUE(watch_->Step({}).changed);
  EXPECT_EQ(Classes(), "0:sim");
}

TEST_F(DeviceWatchTest, ATaskThatHasNotBegunIsNoVictimOfAFault) {
  Change("divide device 1 into 2 half\n");
  const DeviceHealth::Outcome outcome = watch_->Step({.all = {"SIM-n1-1"}, .begun = {}});
  EXPECT_TRUE(outcome.failed.empty());
  EXPECT_TRUE(outcome.changed) << "by what is at hand";
  EXPECT_EQ(Classes(), "0:sim 1:sim");
  EXPECT_EQ(watch_->devices()[1].health(), v1::DEVICE_HEALTH_OK);
  EXPECT_EQ(watch_->DevicesAtHand().size(), 1u) << "it is refused";
  EXPECT_EQ(watch_->Step(kBegun).failed.size(), 1u) << "it was quicker";
}

TEST_F(DeviceWatchTest, WhatBefallsANewDeviceIsKnownByItsIndex) {
  Change("divide device 0 into 2 half\n");
  watch_->Step({});
  std::ofstream(options_.fault_script) << "xid 79 on device 0\nxid 79 on device 101\n";
  const DeviceHealth::Outcome outcome = watch_->Look();
  ASSERT_EQ(outcome.failed.size(), 1u) << "there is no device 0 any more";
  EXPECT_EQ(outcome.failed[0].first, 101);
}

// As a repair, or instances that are made anew, leave it.
TEST_F(DeviceWatchTest, AnotherDeviceInTheSamePlaceIsTold) {
  for (const auto& replace : {
           +[](v1::Device& device) { device.set_uuid("another"); },
           +[](v1::Device& device) { device.set_minor_number(7); },
           +[](v1::Device& device) { device.add_files("/dev/nvidia-caps/nvidia-cap3"); },
       }) {
    FoundDevices found{.devices = watch_->devices(), .monitor = nullptr, .meter = nullptr};
    replace(found.devices[0]);
    const std::string expected = found.devices[0].DebugString();
    watch_->Put(std::move(found));
    EXPECT_TRUE(watch_->Step(kBegun).changed) << expected;
    EXPECT_EQ(watch_->DevicesAtHand().at(0).DebugString(), expected);
    EXPECT_FALSE(watch_->Step({}).changed);
  }
}

TEST_F(DeviceWatchTest, SamplesOfWhatIsNotOnOfferAreLeftOut) {
  Change("remove device 1\n");
  watch_->Step({});
  std::vector<v1::DeviceSample> samples(2);
  samples[1].set_index(1);
  watch_->Renumber(samples);
  ASSERT_EQ(samples.size(), 1u);
  EXPECT_EQ(samples[0].index(), 0);
}

}  // namespace
}  // namespace berth
