#ifndef BERTH_SIM_UNITS_H_
#define BERTH_SIM_UNITS_H_

#include <cstdint>

namespace berth::sim {

// Simulated time is counted in microseconds.
inline constexpr int64_t kSecond = 1'000'000;
inline constexpr int64_t kHour = 3600 * kSecond;

}  // namespace berth::sim

#endif  // BERTH_SIM_UNITS_H_
