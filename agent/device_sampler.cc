#include "agent/device_sampler.h"

#include <utility>

#include "common/clock.h"

namespace berth {

DeviceSampler::DeviceSampler(std::unique_ptr<DeviceMeter> meter, absl::Duration pause)
    : meter_(std::move(meter)), pause_(pause), thread_([this] { Run(); }) {}

DeviceSampler::~DeviceSampler() {
  {
    absl::MutexLock lock(&mu_);
    stopping_ = true;
  }
  thread_.join();
}

std::optional<DeviceReading> DeviceSampler::TakeNew() {
  absl::MutexLock lock(&mu_);
  return std::exchange(last_, std::nullopt);
}

void DeviceSampler::Run() {
  while (true) {
    DeviceReading reading{.samples = {}, .at = SystemClock().SinceBoot()};
    reading.samples = meter_->Read();
    absl::MutexLock lock(&mu_);
    last_ = std::move(reading);
    if (mu_.AwaitWithTimeout(absl::Condition(&stopping_), pause_)) {
      return;
    }
  }
}

}  // namespace berth
