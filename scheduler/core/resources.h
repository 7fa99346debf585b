#ifndef BERTH_SCHEDULER_CORE_RESOURCES_H_
#define BERTH_SCHEDULER_CORE_RESOURCES_H_

// What a node has and a job needs besides devices. Placed, never owned.

#include <compare>
#include <cstdint>

namespace berth {

// The milli-devices of a whole device.
inline constexpr int kWholeDeviceMilli = 1000;

struct HostResources {
  int64_t cpu_milli = 0;
  int64_t memory_mib = 0;

  friend auto operator<=>(const HostResources&, const HostResources&) = default;

  HostResources& operator+=(const HostResources& other) {
    cpu_milli += other.cpu_milli;
    memory_mib += other.memory_mib;
    return *this;
  }
  HostResources& operator-=(const HostResources& other) {
    cpu_milli -= other.cpu_milli;
    memory_mib -= other.memory_mib;
    return *this;
  }
  bool Fits(const HostResources& free) const {
    return cpu_milli <= free.cpu_milli && memory_mib <= free.memory_mib;
  }
};

}  // namespace berth

#endif  // BERTH_SCHEDULER_CORE_RESOURCES_H_
