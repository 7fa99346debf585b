#include "agent/device_sampler.h"

#include <memory>
#include <utility>

#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include <gtest/gtest.h>

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
  DeviceSampler sampler(std::make_unique<CountingMeter>(nullptr), absl::Milliseconds(1));
  const DeviceReading first = AwaitReading(sampler);
  const DeviceReading later = AwaitReading(sampler);
  EXPECT_LT(first.samples.at(0).utilization_percent(), later.samples.at(0).utilization_percent());
  EXPECT_LT(first.at, later.at);
}

TEST(DeviceSampler, PausesBetweenLooksAndEndsWithoutWaitingForOne) {
  DeviceSampler sampler(std::make_unique<CountingMeter>(nullptr), absl::Hours(1));
  AwaitReading(sampler);
  EXPECT_FALSE(sampler.TakeNew().has_value());
}

TEST(DeviceSampler, ADriverThatStandsStillKeepsNobodyWaiting) {
  absl::Notification hold;
  DeviceSampler sampler(std::make_unique<CountingMeter>(&hold), absl::Hours(1));
  EXPECT_FALSE(sampler.TakeNew().has_value());
  hold.Notify();
  EXPECT_EQ(AwaitReading(sampler).samples.size(), 1u);
}

}  // namespace
}  // namespace berth
