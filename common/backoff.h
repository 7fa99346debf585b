#ifndef BERTH_COMMON_BACKOFF_H_
#define BERTH_COMMON_BACKOFF_H_

// Exponential back-off with full jitter. One owner, one thread.

#include <cstdint>

#include "absl/time/time.h"

namespace berth {

class Backoff {
 public:
  // Requires: 0 < first <= most.
  Backoff(absl::Duration first, absl::Duration most, uint64_t seed);
  // The next wait: uniform in [bound/2, bound], the bound doubling up to `most`.
  absl::Duration Next();
  void Reset();

 private:
  absl::Duration first_;
  absl::Duration most_;
  absl::Duration bound_;
  uint64_t state_;
};

}  // namespace berth

#endif  // BERTH_COMMON_BACKOFF_H_
