#include "common/clock.h"

#include <ctime>

#include "absl/time/clock.h"

namespace berth {

absl::Time SystemClock::Now() const {
  return absl::Now();
}

absl::Duration SystemClock::SinceBoot() const {
  timespec now{};
  clock_gettime(CLOCK_BOOTTIME, &now);
  return absl::DurationFromTimespec(now);
}

}  // namespace berth
