#ifndef BERTH_SIM_RANDOM_H_
#define BERTH_SIM_RANDOM_H_

// Random integers that are the same everywhere: the standard library's distributions are not.

#include <cstdint>

#include "common/check.h"

namespace berth::sim {

// SplitMix64 (G. Steele, D. Lea, C. Flood, "Fast splittable pseudorandom number generators",
// OOPSLA'14). A value; one thread.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}

  uint64_t Next() {
    state_ += 0x9e3779b97f4a7c15;
    uint64_t mixed = state_;
    mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111eb;
    return mixed ^ (mixed >> 31);
  }

  // 0 .. bound - 1, each as likely as the others. Requires: bound > 0.
  int64_t Below(int64_t bound) {
    BERTH_CHECK(bound > 0);
    const auto range = static_cast<uint64_t>(bound);
    const uint64_t usable = UINT64_MAX - UINT64_MAX % range;
    uint64_t value = Next();
    while (value >= usable) {
      value = Next();
    }
    return static_cast<int64_t>(value % range);
  }

 private:
  uint64_t state_;
};

}  // namespace berth::sim

#endif  // BERTH_SIM_RANDOM_H_
