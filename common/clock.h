#ifndef BERTH_COMMON_CLOCK_H_
#define BERTH_COMMON_CLOCK_H_

// Where time enters the programs. The cores get it as an argument.

#include "absl/time/time.h"

namespace berth {

class Clock {
 public:
  virtual ~Clock() = default;
  // Wall clock; for records and display, never for a safety decision.
  virtual absl::Time Now() const = 0;
  // CLOCK_BOOTTIME: counts suspended time, never steps. Its zero is the boot.
  virtual absl::Duration SinceBoot() const = 0;
};

// The machine's clocks. Stateless; safe from any thread.
class SystemClock : public Clock {
 public:
  absl::Time Now() const override;
  absl::Duration SinceBoot() const override;
};

}  // namespace berth

#endif  // BERTH_COMMON_CLOCK_H_
