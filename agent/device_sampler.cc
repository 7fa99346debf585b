#include "agent/device_sampler.h"

#include <algorithm>
#include <utility>

#include "common/clock.h"

namespace berth {

DeviceSampler::DeviceSampler(DeviceLooks looks)
    : looks_(std::move(looks)), thread_([this] { Run(); }) {}

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

std::optional<FoundDevices> DeviceSampler::TakeFound() {
  absl::MutexLock lock(&mu_);
  return std::exchange(found_, std::nullopt);
}

void DeviceSampler::Run() {
  const SystemClock clock;
  absl::Duration next_read = clock.SinceBoot();
  absl::Duration next_search = next_read + looks_.search_pause;
  while (true) {
    if (looks_.finder != nullptr && clock.SinceBoot() >= next_search) {
      Search();
      next_search = clock.SinceBoot() + looks_.search_pause;
    }
    if (clock.SinceBoot() >= next_read) {
      Read();
      next_read = clock.SinceBoot() + looks_.pause;
    }
    absl::MutexLock lock(&mu_);
    const absl::Duration wait = std::min(next_read, next_search) - clock.SinceBoot();
    if (mu_.AwaitWithTimeout(absl::Condition(&stopping_), wait)) {
      return;
    }
  }
}

void DeviceSampler::Read() {
  if (looks_.meter == nullptr) {
    return;
  }
  DeviceReading reading{.samples = {}, .at = SystemClock().SinceBoot()};
  reading.samples = looks_.meter->Read();
  absl::MutexLock lock(&mu_);
  last_ = std::move(reading);
}

void DeviceSampler::Search() {
  std::optional<FoundDevices> found = looks_.finder->Look();
  if (!found.has_value()) {
    return;
  }
  if (found->meter != nullptr) {
    looks_.meter = std::move(found->meter);
  }
  absl::MutexLock lock(&mu_);
  last_.reset();
  found_ = std::move(found);
}

}  // namespace berth
