#ifndef BERTH_SIM_FAULTS_SIM_CLOCK_H_
#define BERTH_SIM_FAULTS_SIM_CLOCK_H_

// A machine's CLOCK_BOOTTIME: it counts from the boot, a little too fast or too slow. A value.

#include <cstdint>

#include "absl/time/time.h"

namespace berth::sim {

// The bound on a clock's rate error, in millionths (protocol.md, "Lease": rho is 1 %).
constexpr int64_t kRatePpmMax = 10'000;

class SimClock {
 public:
  SimClock() = default;
  // `rate_ppm`: how much too fast, in millionths.
  SimClock(int64_t booted_us, int64_t rate_ppm) : booted_us_(booted_us), rate_ppm_(rate_ppm) {}

  absl::Duration Read(int64_t now_us) const {
    const int64_t true_us = now_us - booted_us_ - stood_us_;
    return absl::Microseconds(true_us + true_us / kMillion * rate_ppm_ +
                              true_us % kMillion * rate_ppm_ / kMillion);
  }
  // The first moment of true time at which it reads at least this.
  int64_t WhenItReads(absl::Duration reading) const {
    const int64_t shown_us = absl::ToInt64Microseconds(reading);
    const int64_t scale = kMillion + rate_ppm_;
    int64_t true_us = shown_us / scale * kMillion + shown_us % scale * kMillion / scale;
    while (Read(booted_us_ + stood_us_ + true_us) < reading) {
      ++true_us;
    }
    return booted_us_ + stood_us_ + true_us;
  }
  // The whole machine stood still, its clock with it.
  void StandStill(int64_t duration_us) { stood_us_ += duration_us; }

 private:
  static constexpr int64_t kMillion = 1'000'000;
  int64_t booted_us_ = 0;
  int64_t rate_ppm_ = 0;
  int64_t stood_us_ = 0;
};

}  // namespace berth::sim

#endif  // BERTH_SIM_FAULTS_SIM_CLOCK_H_
