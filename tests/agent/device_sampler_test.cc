#include "agent/device_sampler.h"

#include <fstream>
#include <memory>
#include <utility>

#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include <gtest/gtest.h>

#include "tests/testing/temp_dir.h"

namespace berth {
namespace {

// Counts its looks as the device's utilization, and stands still in each where it is told to.
class CountingMeter : public DeviceMeter {
 public:
  explicit CountingMeter(absl::Notification* hold) : hold_(hold) {}
  std::vector<v1::DeviceSample> Read() override {
    if (hold_ != nullptr) {
      hold_->WaitForNotification();
    }
    v1::DeviceSample sample;
    sample.set_utilization_percent(++looks_);
    return {sample};
  }

 private:
  absl::Notification* const hold_;
  int looks_ = 0;
};

DeviceReading AwaitReading(DeviceSampler& sampler) {
  while (true) {
    if (auto reading = sampler.TakeNew()) {
      return *std::move(reading);
    }
    absl::SleepFor(absl::Milliseconds(1));
  }
}

TEST(DeviceSampler, LooksAgainAndAgainAndTellsEachLookOnce) {
  DeviceSampler sampler(
      {.meter = std::make_unique<CountingMeter>(nullptr), .pause = absl::Milliseconds(1)});
  const DeviceReading first = AwaitReading(sampler);
  const DeviceReading later = AwaitReading(sampler);
  EXPECT_LT(first.samples.at(0).utilization_percent(), later.samples.at(0).utilization_percent());
  EXPECT_LT(first.at, later.at);
}

TEST(DeviceSampler, PausesBetweenLooksAndEndsWithoutWaitingForOne) {
  DeviceSampler sampler(
      {.meter = std::make_unique<CountingMeter>(nullptr), .pause = absl::Hours(1)});
  AwaitReading(sampler);
  EXPECT_FALSE(sampler.TakeNew().has_value());
}

TEST(DeviceSampler, ADriverThatStandsStillKeepsNobodyWaiting) {
  absl::Notification hold;
  DeviceSampler sampler({.meter = std::make_unique<CountingMeter>(&hold), .pause = absl::Hours(1)});
  EXPECT_FALSE(sampler.TakeNew().has_value());
  hold.Notify();
  EXPECT_EQ(AwaitReading(sampler).samples.size(), 1u);
}

// What they are busy with is told as before where nobody else can tell.
TEST(DeviceSampler, TellsOnceOfOtherDevices) {
  const TempDir dir;
  const DeviceOptions options{.source = DeviceSource::kSimulated,
                              .simulated = {{"sim", 2, 1024}},
                              .node = "n1",
                              .inventory_script = dir.File("devices")};
  auto known = FindDevices(options);
  ASSERT_TRUE(known.ok()) << known.status();
  DeviceSampler sampler({.meter = std::make_unique<CountingMeter>(nullptr),
                         .pause = absl::Milliseconds(1),
                         .finder = std::make_unique<DeviceFinder>(options, *std::move(known)),
                         .search_pause = absl::Milliseconds(1)});
  std::ofstream(options.inventory_script) << "remove device 0\n";
  std::optional<FoundDevices> found;
  while (!found.has_value()) {
    absl::SleepFor(absl::Milliseconds(1));
    found = sampler.TakeFound();
  }
  ASSERT_EQ(found->devices.size(), 1u);
  EXPECT_EQ(found->devices[0].index(), 1);
  absl::SleepFor(absl::Milliseconds(20));
  EXPECT_FALSE(sampler.TakeFound().has_value());
  sampler.TakeNew();
  EXPECT_EQ(AwaitReading(sampler).samples.size(), 1u);
}

}  // namespace
}  // namespace berth
