#include "common/backoff.h"

#include <algorithm>

namespace berth {

Backoff::Backoff(absl::Duration first, absl::Duration most, uint64_t seed)
    : first_(first), most_(most), bound_(first), state_(seed | 1) {}

absl::Duration Backoff::Next() {
  // xorshift64*: Marsaglia, "Xorshift RNGs", 2003; multiplier from Vigna, 2016.
  state_ ^= state_ >> 12;
  state_ ^= state_ << 25;
  state_ ^= state_ >> 27;
  const double unit = static_cast<double>((state_ * 2685821657736338717ULL) >> 11) * 0x1.0p-53;
  const absl::Duration wait = bound_ * (0.5 + unit / 2);
  bound_ = std::min(bound_ * 2, most_);
  return wait;
}

void Backoff::Reset() {
  bound_ = first_;
}

}  // namespace berth
